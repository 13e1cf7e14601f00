{{/* What every pod has: no rights, nothing to write to but /tmp, no token of Kubernetes, secrets as files or variables. */}}

{{- define "pma.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "pma.container" -}}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* A small job beside the services: an import, a connection, a few statements. */}}
{{- define "pma.jobResources" -}}
requests: {cpu: 50m, memory: 128Mi}
limits: {cpu: 500m, memory: 256Mi}
{{- end }}

{{- define "pma.hasSecretFiles" -}}
{{- if eq .Values.secrets.as "file" }}yes{{ end }}
{{- end }}

{{/* Environment variables of the secrets; takes a dict of root and token (whether the bearer token belongs here). */}}
{{- define "pma.secretEnvironment" -}}
{{- if include "pma.hasSecretFiles" .root }}
- {name: PMA_SECRETS_DIR, value: /var/run/secrets/pma}
{{- else }}
- name: PMA_POSTGRES_DSN
  valueFrom: {secretKeyRef: {name: {{ .root.Values.secrets.postgres.name }}, key: {{ .root.Values.secrets.postgres.key }}}}
{{- if and .token .root.Values.secrets.bearerToken.name }}
- name: PMA_BEARER_TOKEN
  valueFrom: {secretKeyRef: {name: {{ .root.Values.secrets.bearerToken.name }}, key: {{ .root.Values.secrets.bearerToken.key }}}}
{{- end }}
{{- end }}
{{- end }}

{{- define "pma.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "pma.secretMount" -}}
{{- if include "pma.hasSecretFiles" . }}
- {name: secrets, mountPath: /var/run/secrets/pma, readOnly: true}
{{- end }}
{{- end }}

{{/* The files are named as the variables are; takes a dict of root and token. */}}
{{- define "pma.secretVolume" -}}
{{- if include "pma.hasSecretFiles" .root }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ .root.Values.secrets.postgres.name }}
          items: [{key: {{ .root.Values.secrets.postgres.key }}, path: PMA_POSTGRES_DSN}]
{{- if and .token .root.Values.secrets.bearerToken.name }}
      - secret:
          name: {{ .root.Values.secrets.bearerToken.name }}
          items: [{key: {{ .root.Values.secrets.bearerToken.key }}, path: PMA_BEARER_TOKEN}]
{{- end }}
{{- end }}
{{- end }}
