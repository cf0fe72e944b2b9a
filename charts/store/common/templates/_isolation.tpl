{{/*
Quota, limits and service account of a store's namespace. There is exactly one LimitRange: with two, the default of a container is
undefined. Takes (list $ pods), the latter as in common.quota.
*/}}
{{- define "common.isolation" -}}
{{- $root := index . 0 -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "common.name" (list $root "shop") }}
  labels:
    {{- include "common.labels" (list $root "shop") | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: v1
kind: ResourceQuota
metadata:
  name: {{ include "common.name" (list $root "quota") }}
  labels:
    {{- include "common.labels" (list $root "isolation") | nindent 4 }}
spec:
  hard:
    {{- merge (deepCopy $root.Values.common.quota) (include "common.quota" . | fromYaml) | toYaml | nindent 4 }}
---
apiVersion: v1
kind: LimitRange
metadata:
  name: {{ include "common.name" (list $root "limits") }}
  labels:
    {{- include "common.labels" (list $root "isolation") | nindent 4 }}
spec:
  limits:
    - type: Container
      {{- toYaml $root.Values.common.limitRange | nindent 6 }}
{{- end -}}

{{/*
The quota of the namespace: all pods, one more of each that a rolling update adds, headroom for what does not belong to the
chart, and the volumes twice, so that one can be restored beside the other. There is one pod of a job at a time, which may be a backup's.
Takes (list $ pods): a list of {containers: [key of resources ...], init: [...], replicas: n, surge: n, job: whether it is a job's}.
*/}}
{{- define "common.quota" -}}
{{- $root := index . 0 -}}
{{- $headroom := $root.Values.common.headroom -}}
{{- $pods := int $headroom.pods -}}
{{- range index . 1 }}{{ $pods = add $pods .replicas (.surge | default 0) }}{{ end -}}
{{- range $kind := list "requests" "limits" -}}
{{- range $name := list "cpu" "memory" -}}
{{- $sum := include "common.units" (index $headroom $name) | int64 -}}
{{- range $pod := index $ 1 -}}
{{- $sum = add $sum (mul (add .replicas (.surge | default 0)) (include "common.podUnits" (list $root $pod $kind $name) | int64)) -}}
{{- end }}
{{ $kind }}.{{ $name }}: {{ include "common.quantity" (list $name $sum) | quote }}
{{- end -}}
{{- end -}}
{{- $storage := 0 -}}
{{- range $root.Values.persistence }}{{ $storage = add $storage (include "common.units" .size | int64) }}{{ end }}
requests.storage: {{ include "common.quantity" (list "storage" (mul 2 $storage)) | quote }}
persistentvolumeclaims: {{ mul 2 (len $root.Values.persistence) | quote }}
pods: {{ $pods | quote }}
services.loadbalancers: "0"
services.nodeports: "0"
{{- end -}}

{{/*
A pod as a quota counts it: its containers together, or the largest that runs before them. What a container does not say, the
LimitRange says for it.
*/}}
{{- define "common.podUnits" -}}
{{- $resources := (index . 0).Values.resources -}}
{{- $kind := index . 2 -}}
{{- $name := index . 3 -}}
{{- $default := index (index . 0).Values.common.limitRange (eq $kind "limits" | ternary "default" "defaultRequest") $name -}}
{{- $most := 0 -}}
{{- range (index . 1).containers }}{{ $most = add $most (include "common.units" (index $resources . $kind $name | default $default) | int64) }}{{ end -}}
{{- range (index . 1).init }}{{ $most = max $most (include "common.units" (index $resources . $kind $name | default $default) | int64) }}{{ end -}}
{{- if (index . 1).job }}{{ $most = max $most (include "common.units" (index (index . 0).Values.common.backup.resources $kind $name) | int64) }}{{ end -}}
{{- $most -}}
{{- end -}}

{{/*
A quantity as a whole number of thousandths, to be compared and added: 500m is 500, 1Gi is 1073741824000, the number 2 is 2000.
*/}}
{{- define "common.units" -}}
{{- $quantity := toString . | trimPrefix "+" -}}
{{- $number := regexFind "^[0-9]+([.][0-9]*)?([eE][+-]?[0-9]+)?" $quantity -}}
{{- $factors := dict "m" 1 "" 1000 "k" 1e6 "M" 1e9 "G" 1e12 "T" 1e15 "P" 1e18 "Ki" 1024000 "Mi" 1048576000 "Gi" 1073741824000 "Ti" 1099511627776000 "Pi" 1125899906842624000 -}}
{{- printf "%.0f" (mulf $number (get $factors (trimPrefix $number $quantity))) -}}
{{- end -}}

{{/* The inverse of common.units, rounded up: CPUs to thousandths, bytes to Mi. Takes (list "cpu" units). */}}
{{- define "common.quantity" -}}
{{- if eq (index . 0) "cpu" -}}
{{ index . 1 }}m
{{- else -}}
{{ div (add (index . 1) 1048575999) 1048576000 }}Mi
{{- end -}}
{{- end -}}
