{{- define "pilotfish.webhook.name" -}}
{{- printf "%s-webhook" (include "pilotfish.fullname" .) -}}
{{- end }}

{{- define "pilotfish.webhook.secretName" -}}
{{- if eq .Values.webhook.certificate.source "secret" -}}
{{- .Values.webhook.certificate.secretName -}}
{{- else -}}
{{- printf "%s-tls" (include "pilotfish.webhook.name" .) -}}
{{- end -}}
{{- end }}

{{- define "pilotfish.webhook.host" -}}
{{- printf "%s.%s.svc" (include "pilotfish.webhook.name" .) .Release.Namespace -}}
{{- end }}
