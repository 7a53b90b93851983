{{/* What no schema can see: contradictions between values. Each message says what, where and the mend. */}}

{{/* On a line of its own, as Helm puts the way to it before. */}}
{{- define "pilotfish.refuse" -}}
{{- fail (printf "\n\n%s\n" .) -}}
{{- end }}

{{- define "pilotfish.checks" -}}
{{- include "pilotfish.checks.config" . -}}
{{- include "pilotfish.checks.captures" . -}}
{{- include "pilotfish.checks.models" . -}}
{{- include "pilotfish.checks.webhook" . -}}
{{- end }}

{{- define "pilotfish.checks.config" -}}
{{- $config := .Values.config -}}
{{- if .Values.existingConfigMap -}}
  {{- if $config -}}
    {{- include "pilotfish.refuse" "config and existingConfigMap are both given: keep one" -}}
  {{- end -}}
{{- else if not $config.endpoints -}}
  {{- include "pilotfish.refuse" "config.endpoints is empty: write what is to be ranked, or name a ConfigMap with existingConfigMap" -}}
{{- end -}}
{{- range $key := list "grpc" "http" -}}
  {{- if hasKey (default dict $config.serve) $key -}}
    {{- include "pilotfish.refuse" (printf "config.serve.%s is the chart's: leave it out" $key) -}}
  {{- end -}}
{{- end -}}
{{- end }}

{{- define "pilotfish.checks.captures" -}}
{{- $names := list "grpc" "http" -}}
{{- $ports := list "9400" "9500" -}}
{{- range .Values.captures -}}
  {{- if or (has .name $names) (has (toString .port) $ports) -}}
    {{- include "pilotfish.refuse" (printf "captures: %s (%v) is taken: names and ports are unique, and grpc (9500) and http (9400) are Pilotfish's own" .name .port) -}}
  {{- end -}}
  {{- $names = append $names .name -}}
  {{- $ports = append $ports (toString .port) -}}
{{- end -}}
{{- range $endpoint := .Values.config.endpoints -}}
  {{- range $capture := $endpoint.capture -}}
    {{- range $way, $settings := $capture -}}
      {{- $port := regexFind "[0-9]+$" (default "" $settings.listen) -}}
      {{- if and $port (not (has $port (slice $ports 2))) -}}
        {{- include "pilotfish.refuse" (printf "config.endpoints: %s has a %s on port %s, which no entry of captures names: add {name: ..., port: %s}" $endpoint.name $way $port $port) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end }}

{{- define "pilotfish.checks.models" -}}
{{- $models := .Values.models -}}
{{- $needs := dict "persistentVolumeClaim" $models.persistentVolumeClaim.claimName "configMap" $models.configMap.name "image" $models.image.reference "init" (and $models.init.image $models.init.command) -}}
{{- $keys := dict "persistentVolumeClaim" "claimName" "configMap" "name" "image" "reference" "init" "image and command" -}}
{{- if and (hasKey $needs $models.source) (not (index $needs $models.source)) -}}
  {{- include "pilotfish.refuse" (printf "models.source is %s: give models.%s.%s" $models.source $models.source (index $keys $models.source)) -}}
{{- end -}}
{{- /* Below 1.29 it is no cluster's version, which Chart.yaml would refuse, but one that `helm lint` makes up. */ -}}
{{- if and (eq $models.source "image") (not $models.image.force) (semverCompare ">=1.29-0 <1.31-0" .Capabilities.KubeVersion.Version) -}}
  {{- include "pilotfish.refuse" (printf "models.source is image, and this is Kubernetes %s: image volumes need 1.31 and its feature gate ImageVolume; choose another source, or set models.image.force" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- end }}

{{- define "pilotfish.checks.webhook" -}}
{{- $certificate := .Values.webhook.certificate -}}
{{- if and .Values.webhook.enabled (eq $certificate.source "secret") (not (and $certificate.secretName $certificate.caBundle)) -}}
  {{- include "pilotfish.refuse" "webhook.certificate.source is secret: give webhook.certificate.secretName and caBundle" -}}
{{- end -}}
{{- end }}
