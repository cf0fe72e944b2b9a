{{/* Whether the shop has a certificate: only one on https can use it. */}}
{{- define "common.tls" -}}
{{- if and .Values.common.ingress.enabled .Values.common.ingress.tls.enabled (not .Values.common.ingress.tls.endsBefore) (eq (include "common.scheme" .) "https") }}true{{ end -}}
{{- end -}}

{{/* Whether every request counts as one that came by https: what the ingress controller sees, and says, is another proxy's plain HTTP. */}}
{{- define "common.alwaysHTTPS" -}}
{{- if and .Values.common.ingress.tls.endsBefore (eq (include "common.scheme" .) "https") }}true{{ end -}}
{{- end -}}

{{/*
The Ingress's annotations: the largest request, for the controllers that would stop at 1 MB, and the installation's, which win. A controller
ignores what is another one's.
*/}}
{{- define "common.bodyLimits" -}}
{{- $most := .Values.common.maxBody -}}
{{- toYaml (merge (dict) .Values.common.ingress.annotations (dict "nginx.ingress.kubernetes.io/proxy-body-size" $most "nginx.org/client-max-body-size" $most)) -}}
{{- end -}}

{{/*
Defaults that the cluster would add to a list are written out here and in common.network: the worker compares such a list as a
whole with what is in the cluster.
The shop's Service is named like the release, and its port is http: the orchestrator finds the shop by both names.
*/}}
{{- define "common.exposure" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name | quote }}
  labels:
    {{- include "common.labels" (list . "shop") | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    {{- include "common.selector" (list . "shop") | nindent 4 }}
  ports:
    - name: http
      port: 80
      targetPort: http
{{- if and .Values.common.ingress.enabled (not .Values.common.restoreTest) }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ .Release.Name | quote }}
  labels:
    {{- include "common.labels" (list . "shop") | nindent 4 }}
  annotations:
    {{- include "common.bodyLimits" . | nindent 4 }}
spec:
  {{- with .Values.common.ingress.className }}
  ingressClassName: {{ . | quote }}
  {{- end }}
  {{- if include "common.tls" . }}
  tls:
    - hosts: [{{ .Values.common.store.host | quote }}]
      {{- with .Values.common.ingress.tls.secretName }}
      secretName: {{ . | quote }}
      {{- end }}
  {{- end }}
  rules:
    - host: {{ .Values.common.store.host | quote }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {{ .Release.Name | quote }}
                port:
                  name: http
{{- end }}
{{- if and .Values.common.route.enabled (not .Values.common.restoreTest) }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ .Release.Name | quote }}
  labels:
    {{- include "common.labels" (list . "shop") | nindent 4 }}
  {{- with .Values.common.route.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  parentRefs:
    {{- range .Values.common.route.parentRefs }}
    - {{- toYaml (merge (dict) . (dict "group" "gateway.networking.k8s.io" "kind" "Gateway")) | nindent 6 }}
    {{- end }}
  hostnames: [{{ .Values.common.store.host | quote }}]
  rules:
    - matches:
        - path:
            type: PathPrefix
            value: /
      backendRefs:
        - group: ""
          kind: Service
          name: {{ .Release.Name | quote }}
          port: 80
          weight: 1
{{- end }}
{{- end -}}

{{/*
The Service of a backend; headless, since a StatefulSet of one has one address. The name leads to a pod that is not ready yet, too: what waits for the
backend asks the backend itself, and gets in when it listens rather than at its next probe. Takes (list $ "component" port).
*/}}
{{- define "common.backendService" -}}
{{- $root := index . 0 -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "common.name" (list $root (index . 1)) }}
  labels:
    {{- include "common.labels" (list $root (index . 1)) | nindent 4 }}
spec:
  type: ClusterIP
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "common.selector" (list $root (index . 1)) | nindent 4 }}
  ports:
    - name: {{ index . 1 }}
      port: {{ index . 2 }}
      targetPort: {{ index . 2 }}
{{- end -}}
