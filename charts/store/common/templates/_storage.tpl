{{/*
The store's volumes. Takes (list $ (dict "key of persistence" "component that uses it" ...)).

They are objects of their own rather than claim templates of a StatefulSet, which nobody could change, and Helm keeps its
hands off them when the release goes: who deletes a store decides about its data. A claim that exists stays as it is, but
for its labels and, where that is wanted and possible, a larger size: the API server would refuse anything else, and with
it the whole upgrade of a store because the installation gives new stores other volumes.
*/}}
{{- define "common.claims" -}}
{{- $root := index . 0 -}}
{{- $existing := dict -}}
{{- range (lookup "v1" "PersistentVolumeClaim" $root.Release.Namespace "").items -}}
{{- $_ := set $existing .metadata.name . -}}
{{- end -}}
{{- range $key, $component := index . 1 -}}
{{- $name := include "common.name" (list $root $key) -}}
{{- $persistence := index $root.Values.persistence $key -}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ $name }}
  labels:
    {{- include "common.labels" (list $root $component) | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
spec:
  {{- with get $existing $name }}
  {{- include "common.claim.existing" (list $root $persistence .) | nindent 2 }}
  {{- else }}
  {{- include "common.claim.new" (list $root $persistence) | nindent 2 }}
  {{- end }}
{{ end -}}
{{- end -}}

{{- define "common.claim.new" -}}
accessModes: [{{ (index . 1).accessMode | default "ReadWriteOnce" }}]
{{- with (index . 0).Values.common.storageClass }}
storageClassName: {{ . | quote }}
{{- end }}
resources:
  requests:
    storage: {{ (index . 1).size | quote }}
{{- end -}}

{{/* What a claim's own spec says, again. Takes (list $ persistence claim). */}}
{{- define "common.claim.existing" -}}
{{- $wanted := (index . 1).size -}}
{{- $claim := index . 2 -}}
{{- $size := $claim.spec.resources.requests.storage -}}
{{- if and (gt (include "common.units" $wanted | int64) (include "common.units" $size | int64)) (include "common.claim.mayGrow" (list (index . 0) $claim)) -}}
{{- $size = $wanted -}}
{{- end -}}
accessModes: {{ $claim.spec.accessModes | toJson }}
{{- with $claim.spec.storageClassName }}
storageClassName: {{ . | quote }}
{{- end }}
resources:
  requests:
    storage: {{ $size | quote }}
{{- end -}}

{{/* Whether a claim may ask for more than it did. Takes (list $ claim). */}}
{{- define "common.claim.mayGrow" -}}
{{- $claim := index . 1 -}}
{{- if and (index . 0).Values.common.expandVolumes $claim.spec.storageClassName (eq $claim.status.phase "Bound") -}}
{{- if (lookup "storage.k8s.io/v1" "StorageClass" "" $claim.spec.storageClassName).allowVolumeExpansion }}true{{ end -}}
{{- end -}}
{{- end -}}

{{/*
How many pods of the shop there can be: one, where the volume that exists can be attached to one node only and nobody can
change that. Takes (list $ replicas).
*/}}
{{- define "common.replicas" -}}
{{- $root := index . 0 -}}
{{- $replicas := index . 1 -}}
{{- if gt (int $replicas) 1 -}}
{{- $claim := lookup "v1" "PersistentVolumeClaim" $root.Release.Namespace (include "common.name" (list $root "data")) -}}
{{- if and $claim (not (has "ReadWriteMany" $claim.spec.accessModes)) -}}{{- $replicas = 1 -}}{{- end -}}
{{- end -}}
{{- $replicas -}}
{{- end -}}

{{/* Ends the rendering unless several pods may use the volume of the shop. Takes (list $ "what needs that"). */}}
{{- define "common.mustShare" -}}
{{- if ne (index . 0).Values.persistence.data.accessMode "ReadWriteMany" -}}
{{- fail (printf "%s needs persistence.data.accessMode ReadWriteMany: pods on several nodes share the volume" (index . 1)) -}}
{{- end -}}
{{- end -}}
