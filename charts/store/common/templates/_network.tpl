{{/*
Everything is denied, then what the store needs is allowed: requests to the shop, DNS, connections of the shop, its workers and its jobs to
their own backends, HTTPS to the internet for payment services, and the installation's mail server. Backends accept these connections and open none. The test
pod may connect to the shop only, and a backup or a restore to the database and to the installation's gate. The shop of a restore test reaches its own
backends only, and only a port-forward reaches it.
Takes (list $ (dict "component" port ...) (list "component" ...) "component"): the backends, who uses them besides the shop, and which of them is the database, or "".
*/}}
{{- define "common.network" -}}
{{- $root := index . 0 -}}
{{- $backends := index . 1 -}}
{{- $clients := prepend (index . 2) "shop" -}}
{{- $database := index . 3 -}}
{{- $policy := $root.Values.common.networkPolicy -}}
{{ include "common.network.head" (list $root "deny") }}
  podSelector: {}
  policyTypes: [Ingress, Egress]
{{- range $client := $clients }}
---
{{ include "common.network.head" (list $root $client) }}
  podSelector:
    {{- include "common.network.client" (list $root $client) | nindent 4 }}
  policyTypes: [Ingress, Egress]
  {{- if and (eq $client "shop") (not $root.Values.common.restoreTest) }}
  ingress:
    - ports:
        - port: http
          protocol: TCP
      {{- with $policy.ingressNamespaces }}
      from:
        - podSelector:
            matchLabels:
              {{- include "common.selector" (list $root "test") | nindent 14 }}
        {{- range . }}
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ . | quote }}
        {{- end }}
      {{- end }}
  {{- end }}
  egress:
    {{- include "common.network.dns" $policy | nindent 4 }}
    {{- range $component, $port := $backends }}
    - ports:
        - port: {{ $port }}
          protocol: TCP
      to:
        - podSelector:
            matchLabels:
              {{- include "common.selector" (list $root $component) | nindent 14 }}
    {{- end }}
    {{- if not $root.Values.common.restoreTest }}
    {{- with $policy.internetPorts }}
    {{- include "common.network.internet" . | nindent 4 }}
    {{- end }}
    {{- with $root.Values.common.mail }}
    {{- if .host }}
    {{- include "common.network.server" . | nindent 4 }}
    {{- end }}
    {{- end }}
    {{- end }}
{{- end }}
---
{{ include "common.network.head" (list $root "test") }}
  podSelector:
    matchLabels:
      {{- include "common.selector" (list $root "test") | nindent 6 }}
  policyTypes: [Ingress, Egress]
  egress:
    {{- include "common.network.dns" $policy | nindent 4 }}
    - ports:
        - port: http
          protocol: TCP
      to:
        - podSelector:
            matchLabels:
              {{- include "common.selector" (list $root "shop") | nindent 14 }}
---
{{ include "common.network.head" (list $root "backup") }}
  podSelector:
    {{- include "common.network.client" (list $root "backup") | nindent 4 }}
  policyTypes: [Ingress, Egress]
  egress:
    {{- include "common.network.dns" $policy | nindent 4 }}
    {{- with $database }}
    - ports:
        - port: {{ get $backends . }}
          protocol: TCP
      to:
        - podSelector:
            matchLabels:
              {{- include "common.selector" (list $root .) | nindent 14 }}
    {{- end }}
    {{- include "common.network.server" $root.Values.common.backup.gate | nindent 4 }}
{{- if and (include "common.tls" $root) (not $root.Values.common.restoreTest) }}
---
# cert-manager answers the challenge for the host with a pod of its own, in the store's namespace.
{{ include "common.network.head" (list $root "acme") }}
  podSelector:
    matchLabels:
      acme.cert-manager.io/http01-solver: "true"
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - port: 8089
          protocol: TCP
{{- end }}
{{- range $component, $port := $backends }}
---
{{ include "common.network.head" (list $root $component) }}
  podSelector:
    matchLabels:
      {{- include "common.selector" (list $root $component) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - port: {{ $port }}
          protocol: TCP
      from:
        {{- range $clients }}
        - podSelector:
            {{- include "common.network.client" (list $root .) | nindent 12 }}
        {{- end }}
        {{- if eq $component $database }}
        - podSelector:
            {{- include "common.network.client" (list $root "backup") | nindent 12 }}
        {{- end }}
{{- end }}
{{- end -}}

{{/*
A user of the backends, as a selector: the component, and what the shop may, a pod may that does one thing in it; a restore may what a backup may.
Takes (list $ "component").
*/}}
{{- define "common.network.client" -}}
{{- with get (dict "shop" "job" "backup" "restore") (index . 1) -}}
matchLabels:
  app.kubernetes.io/instance: {{ (index $ 0).Release.Name | quote }}
matchExpressions:
  - key: app.kubernetes.io/component
    operator: In
    values: [{{ index $ 1 }}, {{ . }}]
{{- else -}}
matchLabels:
  {{- include "common.selector" . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* A policy down to its spec. Takes (list $ "name"). */}}
{{- define "common.network.head" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "common.name" . }}
  labels:
    {{- include "common.labels" (list (index . 0) "isolation") | nindent 4 }}
spec:
{{- end -}}

{{/* The cluster's DNS: its pods, and the address that a cache on the node listens on, which is no pod's. */}}
{{- define "common.network.dns" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
  to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .dnsNamespace | quote }}
    {{- range .dnsCIDRs }}
    - ipBlock:
        cidr: {{ . | quote }}
    {{- end }}
{{- end -}}

{{/* A server outside. Takes {port: n, cidrs: [...], namespaces: [...]}: where it is, unless it has a public address. */}}
{{- define "common.network.server" -}}
{{- if or .cidrs .namespaces -}}
- ports:
    - port: {{ .port }}
      protocol: TCP
  to:
    {{- range .cidrs }}
    - ipBlock:
        cidr: {{ . | quote }}
    {{- end }}
    {{- range .namespaces }}
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ . | quote }}
    {{- end }}
{{- else -}}
{{ include "common.network.internet" (list .port) }}
{{- end -}}
{{- end -}}

{{/* Public addresses only: not the cluster's, not a neighbour's, not the cloud's metadata service. */}}
{{- define "common.network.internet" -}}
- ports:
    {{- range . }}
    - port: {{ . }}
      protocol: TCP
    {{- end }}
  to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
    - ipBlock:
        cidr: ::/0
        except: ["fc00::/7", "fe80::/10"]
{{- end -}}
