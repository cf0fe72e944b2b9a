{{/*
What keeps a store within its namespace. The LimitRange is exactly one: with two, which default a container gets is
undefined.
*/}}
{{- define "common.isolation" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "common.name" (list . "shop") }}
  labels:
    {{- include "common.labels" (list . "shop") | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: v1
kind: ResourceQuota
metadata:
  name: {{ include "common.name" (list . "quota") }}
  labels:
    {{- include "common.labels" (list . "isolation") | nindent 4 }}
spec:
  hard:
    {{- range $resource, $most := .Values.common.quota }}
    {{ $resource }}: {{ $most | quote }}
    {{- end }}
---
apiVersion: v1
kind: LimitRange
metadata:
  name: {{ include "common.name" (list . "limits") }}
  labels:
    {{- include "common.labels" (list . "isolation") | nindent 4 }}
spec:
  limits:
    - type: Container
      {{- toYaml .Values.common.limitRange | nindent 6 }}
{{- end -}}
