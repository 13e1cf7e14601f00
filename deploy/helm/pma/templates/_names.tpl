{{/* Names, labels and images. A component's name in Kubernetes has hyphens: wash_sale is wash-sale. */}}

{{- define "pma.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "pma.component" -}}
{{- . | replace "_" "-" }}
{{- end }}

{{/* Partitions of a household topic (libs/common/topics.py): more replicas than that would have nothing to do. */}}
{{- define "pma.partitions" -}}4{{- end }}

{{/* What selects the pods of the release; with a component, those of one program. Takes a dict of root and component. */}}
{{- define "pma.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ include "pma.component" . }}
{{- end }}
{{- end }}

{{- define "pma.labels" -}}
{{ include "pma.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: pma
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* The image of a component; takes a dict of root, component and digest. */}}
{{- define "pma.image" -}}
{{- $name := printf "%s/pma-%s" .root.Values.image.registry (include "pma.component" .component) -}}
{{- if .digest }}{{ printf "%s@%s" $name .digest }}{{ else }}{{ printf "%s:%s" $name (default .root.Chart.AppVersion .root.Values.image.tag) }}{{ end }}
{{- end }}
