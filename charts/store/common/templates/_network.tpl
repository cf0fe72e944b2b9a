{{/*
Nothing is allowed, then what the store needs: requests to the shop, DNS, the shop's way to its own backends, and the
internet's HTTPS for payment services. Backends answer the shop and call nobody.
Takes (list $ (dict "component" port ...)), the backends.
*/}}
{{- define "common.network" -}}
{{- $root := index . 0 -}}
{{- $policy := $root.Values.common.networkPolicy -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "common.name" (list $root "deny") }}
  labels:
    {{- include "common.labels" (list $root "isolation") | nindent 4 }}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "common.name" (list $root "shop") }}
  labels:
    {{- include "common.labels" (list $root "isolation") | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "common.selector" (list $root "shop") | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - port: http
      {{- with $policy.ingressNamespaces }}
      from:
        {{- range . }}
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: {{ . | quote }}
        {{- end }}
      {{- end }}
  egress:
    {{- include "common.network.dns" $policy | nindent 4 }}
    {{- range $component, $port := index . 1 }}
    - ports:
        - port: {{ $port }}
      to:
        - podSelector:
            matchLabels:
              {{- include "common.selector" (list $root $component) | nindent 14 }}
    {{- end }}
    {{- with $policy.internetPorts }}
    {{- include "common.network.internet" . | nindent 4 }}
    {{- end }}
{{- if include "common.tls" $root }}
---
# cert-manager proves with a pod of its own, in the store's namespace, that the host is ours.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "common.name" (list $root "acme") }}
  labels:
    {{- include "common.labels" (list $root "isolation") | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      acme.cert-manager.io/http01-solver: "true"
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - port: 8089
{{- end }}
{{- range $component, $port := index . 1 }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "common.name" (list $root $component) }}
  labels:
    {{- include "common.labels" (list $root "isolation") | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "common.selector" (list $root $component) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - ports:
        - port: {{ $port }}
      from:
        - podSelector:
            matchLabels:
              {{- include "common.selector" (list $root "shop") | nindent 14 }}
{{- end }}
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

{{/* Public addresses only: not the cluster's, not a neighbour's, not the cloud's metadata service. */}}
{{- define "common.network.internet" -}}
- ports:
    {{- range . }}
    - port: {{ . }}
    {{- end }}
  to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: [10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16]
    - ipBlock:
        cidr: ::/0
        except: ["fc00::/7", "fe80::/10"]
{{- end -}}
