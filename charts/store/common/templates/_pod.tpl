{{/*
What all pods have in common, to the left edge of a pod's spec. Service links are off because they would put one
variable per Service into each container, and images read variables by prefix: a Service "wordpress" breaks WordPress.
Takes (list $ uid gid).
*/}}
{{- define "common.pod" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ include "common.name" (list $root "shop") }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.common.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with $root.Values.common.scheduling.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.common.scheduling.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.common.scheduling.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ index . 1 }}
  runAsGroup: {{ index . 2 }}
  fsGroup: {{ index . 2 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{/* What all containers have in common. Takes (list $ "key of images"). */}}
{{- define "common.container" -}}
{{- $root := index . 0 -}}
image: {{ include "common.image" . | quote }}
imagePullPolicy: {{ $root.Values.common.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* The authority (host and port) of the store's URL: what a probe must send as Host. */}}
{{- define "common.authority" -}}
{{- (urlParse .Values.common.store.url).host -}}
{{- end -}}

{{/* The scheme of the store's URL: what an ingress would send as X-Forwarded-Proto. */}}
{{- define "common.scheme" -}}
{{- (urlParse .Values.common.store.url).scheme -}}
{{- end -}}

{{/*
A probe over HTTP that looks like a request through the ingress: without the forwarded scheme a shop on https answers
every request with a redirect to itself. Takes (list $ "/path").
*/}}
{{- define "common.httpGet" -}}
{{- $root := index . 0 -}}
httpGet:
  port: http
  path: {{ index . 1 }}
  httpHeaders:
    - name: Host
      value: {{ include "common.authority" $root | quote }}
    - name: X-Forwarded-Proto
      value: {{ include "common.scheme" $root }}
{{- end -}}
