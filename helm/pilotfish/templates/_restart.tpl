{{/* Written by python -m helm.schema from the configuration's schema: do not edit. */}}

{{- define "pilotfish.restartsOn" -}}
{{- pick .Values.config "serve" "scoring" "log" "traces" | toJson | sha256sum -}}
{{- end }}
