{{/* Names and labels. Labels that select never change between versions. */}}

{{- define "pilotfish.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* 55 characters leave room for a suffix. */}}
{{- define "pilotfish.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 55 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 55 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 55 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "pilotfish.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "pilotfish.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "pilotfish.configMapName" -}}
{{- default (include "pilotfish.fullname" .) .Values.existingConfigMap -}}
{{- end }}

{{/* What selects the pods of a component: (list $ "server"). */}}
{{- define "pilotfish.selectorLabels" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ include "pilotfish.name" $ }}
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* All labels of an object of a component: (list $ "server"). */}}
{{- define "pilotfish.labels" -}}
{{- $ := index . 0 -}}
{{ include "pilotfish.selectorLabels" . }}
app.kubernetes.io/part-of: pilotfish
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "pilotfish.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end }}

{{/* "true" where an object is wanted that needs the Prometheus Operator: (list $ .Values.metrics.rules.create). */}}
{{- define "pilotfish.wanted" -}}
{{- $ := index . 0 -}}
{{- $create := index . 1 -}}
{{- if or (eq $create "always") (and (eq $create "auto") ($.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) -}}
true
{{- end -}}
{{- end }}

{{/* The endpoints that `helm test` asks for, as {"names": [...]}: a template gives text alone. */}}
{{- define "pilotfish.asked" -}}
{{- $names := .Values.test.endpoints -}}
{{- if not $names -}}
{{- range .Values.config.endpoints -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}
{{- dict "names" $names | toJson -}}
{{- end }}
