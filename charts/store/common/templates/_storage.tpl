{{/*
The store's volumes. Takes (list $ (dict "key of persistence" "component that uses it" ...)).

They are objects of their own rather than claim templates of a StatefulSet, which are immutable, and Helm does not delete them
with the release: the orchestrator decides about the data when it deletes a store. An existing claim stays as it is, except for its
labels and, where that is wanted and possible, a larger size: the API server would reject anything else, and with it the whole
upgrade of a store, just because the installation gives new stores other volumes.
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
    {{- if include "common.claim.ofDefaultClass" (list $root (get $existing $name)) }}
    orchestrator/storage-class: default
    {{- end }}
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

{{/*
Whether the cluster has chosen the claim's class, or is to. Its name is not in the manifest then, neither at first nor later: to go back to a manifest without
a name that another has would take the class away, which the API server refuses. Takes (list $ "the existing claim, or nothing").
*/}}
{{- define "common.claim.ofDefaultClass" -}}
{{- with index . 1 -}}
{{- if eq "default" (get (.metadata.annotations | default dict) "orchestrator/storage-class") -}}true{{- end -}}
{{- else -}}
{{- if not (index . 0).Values.common.storageClass -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/* The spec of an existing claim, repeated. Takes (list $ persistence claim). */}}
{{- define "common.claim.existing" -}}
{{- $wanted := (index . 1).size -}}
{{- $claim := index . 2 -}}
{{- $size := $claim.spec.resources.requests.storage -}}
{{- if and (gt (include "common.units" $wanted | int64) (include "common.units" $size | int64)) (include "common.claim.mayGrow" (list (index . 0) $claim)) -}}
{{- $size = $wanted -}}
{{- end -}}
accessModes: {{ $claim.spec.accessModes | toJson }}
{{- if and $claim.spec.storageClassName (not (include "common.claim.ofDefaultClass" (list (index . 0) $claim))) }}
storageClassName: {{ $claim.spec.storageClassName | quote }}
{{- end }}
resources:
  requests:
    storage: {{ $size | quote }}
{{- end -}}

{{/* Whether a claim may request more than before. Takes (list $ claim). */}}
{{- define "common.claim.mayGrow" -}}
{{- $claim := index . 1 -}}
{{- if and (index . 0).Values.common.expandVolumes $claim.spec.storageClassName (eq $claim.status.phase "Bound") -}}
{{- if (lookup "storage.k8s.io/v1" "StorageClass" "" $claim.spec.storageClassName).allowVolumeExpansion }}true{{ end -}}
{{- end -}}
{{- end -}}

{{/*
The number of pods that the shop can have: one, where the existing volume can be attached to one node only, which cannot be
changed. Takes (list $ replicas).
*/}}
{{- define "common.replicas" -}}
{{- if include "common.shared" (index . 0) -}}{{- index . 1 -}}{{- else -}}{{- min 1 (index . 1) -}}{{- end -}}
{{- end -}}

{{/* Whether several pods may use the shop's volume: what the existing one allows, which cannot be changed, or what is wanted of a new one. */}}
{{- define "common.shared" -}}
{{- $claim := lookup "v1" "PersistentVolumeClaim" .Release.Namespace (include "common.name" (list . "data")) -}}
{{- $modes := list .Values.persistence.data.accessMode -}}
{{- if $claim -}}{{- $modes = $claim.spec.accessModes -}}{{- end -}}
{{- if has "ReadWriteMany" $modes -}}true{{- end -}}
{{- end -}}

{{/* Fails the rendering unless several pods may use the volume of the shop. Takes (list $ "what needs that"). */}}
{{- define "common.mustShare" -}}
{{- if ne (index . 0).Values.persistence.data.accessMode "ReadWriteMany" -}}
{{- fail (printf "%s needs persistence.data.accessMode ReadWriteMany: pods on several nodes share the volume" (index . 1)) -}}
{{- end -}}
{{- end -}}
