// Comfort alone: every page works without this.
"use strict";

const one = (id) => document.getElementById(id);

function slide() {
  const slider = one("slider");
  if (!slider) return;
  const points = JSON.parse(one("points").textContent);
  if (points.length < 2) return;
  const range = one("along"), said = one("point");
  const pictures = [...document.querySelectorAll("[class~=frontier_points_marks]")].map((marks) => {
    const marker = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    marker.setAttribute("r", "8");
    marker.setAttribute("class", "marker");
    marks.append(marker);
    return { marker, places: [...marks.querySelectorAll("path")] };
  });
  const show = () => {
    const point = points[range.value];
    range.setAttribute("aria-valuetext", point.said);
    said.textContent = `${point.said}. Turnover ${point.turnover}, long-term gain ${point.long_gain}, short-term gain ${point.short_gain}; proved within ${point.gap}.`;
    for (const { marker, places } of pictures) marker.setAttribute("transform", places[range.value].getAttribute("transform"));
  };
  range.addEventListener("input", show);
  slider.hidden = false;
  show();
}

function watchProgress() {
  const section = document.querySelector("[data-progress]");
  if (!section) return;
  const again = async () => {
    try {
      const answer = await fetch(section.dataset.progress);
      const now = await answer.json();
      if (now.state === "done" || now.state === "failed") return location.reload();
      one("progress").value = now.done_frac;
      if (one("step").textContent !== now.step) one("step").textContent = now.step;
    } catch { /* the service is away for a moment: ask again */ }
    setTimeout(again, 300);
  };
  again();
}

function watchProofs() {
  const banner = document.querySelector("[data-pending]");
  if (!banner) return;
  const again = async () => {
    try {
      const now = await (await fetch(banner.dataset.pending)).json();
      if (!now.joint_pending) {
        banner.innerHTML = '<a href="">The proof over several years has come: show it.</a>';
        return;
      }
    } catch { /* the service is away for a moment: ask again */ }
    setTimeout(again, 1000);
  };
  again();
}

function switches() {
  const said = one("switched");
  if (!said) return;
  const boxes = [...document.querySelectorAll(".switches input[type=checkbox]")];
  for (const box of boxes)
    box.addEventListener("change", () => {
      said.textContent = boxes.filter((each) => !each.checked).map((each) => each.dataset.off).join(" ");
    });
}

function faultyLines() {
  const lots = one("f-lots");
  for (const link of document.querySelectorAll("a[data-line]"))
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const lines = lots.value.split("\n"), line = Number(link.dataset.line);
      const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
      lots.focus();
      lots.setSelectionRange(start, start + (lines[line - 1] || "").length);
    });
  if (one("faults")) one("faults").focus();
}

function printing() {
  const button = one("print");
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

slide();
watchProgress();
watchProofs();
switches();
faultyLines();
printing();
