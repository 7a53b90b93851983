{{/* Where /models comes from. */}}

{{- define "pilotfish.modelsVolume" -}}
{{- $models := .Values.models -}}
- name: models
{{- if eq $models.source "persistentVolumeClaim" }}
  persistentVolumeClaim:
    claimName: {{ $models.persistentVolumeClaim.claimName | quote }}
    readOnly: true
{{- else if eq $models.source "configMap" }}
  configMap:
    name: {{ $models.configMap.name | quote }}
{{- else if eq $models.source "image" }}
  image:
    reference: {{ $models.image.reference | quote }}
    pullPolicy: {{ $models.image.pullPolicy }}
{{- else }}
  emptyDir:
    sizeLimit: {{ $models.init.sizeLimit | quote }}
- name: models-tmp
  emptyDir: {}
{{- end }}
{{- end }}

{{- define "pilotfish.modelsInitContainer" -}}
{{- $init := .Values.models.init -}}
- name: models
  image: {{ $init.image | quote }}
  command:
    {{- toYaml $init.command | nindent 4 }}
  env:
    - name: HOME
      value: /tmp
    {{- with $init.env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $init.envFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $init.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- include "pilotfish.containerSecurityContext" . | nindent 4 }}
  volumeMounts:
    - name: models
      mountPath: /models
    - name: models-tmp
      mountPath: /tmp
{{- end }}
