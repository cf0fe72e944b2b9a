{{/*
The name of an object beside the shop itself: the release's name, cut so that <name>-<component>, with what Kubernetes
adds to a StatefulSet's name in labels and host names, stays within 63 characters.
Takes (list $ "component").
*/}}
{{- define "common.name" -}}
{{- $root := index . 0 -}}
{{- printf "%s-%s" ($root.Release.Name | trunc 40 | trimSuffix "-") (index . 1) -}}
{{- end -}}

{{/*
The labels that never change over a store's life: what selectors and volume claim templates, both immutable, may use.
orchestrator/store is how the orchestrator finds everything of a store. Takes (list $ "component").
*/}}
{{- define "common.identity" -}}
{{- $root := index . 0 -}}
orchestrator/store: {{ $root.Values.common.storeLabel | quote }}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* The labels of an object or a pod template. Takes (list $ "component"). */}}
{{- define "common.labels" -}}
{{- $root := index . 0 -}}
{{ include "common.identity" . }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{/* The labels that a selector compares. Takes (list $ "component"). */}}
{{- define "common.selector" -}}
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* An image, with the one registry of the installation in front if there is one. Takes (list $ "key of images, or backup"). */}}
{{- define "common.image" -}}
{{- $root := index . 0 -}}
{{- $image := ternary $root.Values.common.backup.image (get $root.Values.images (index . 1)) (eq (index . 1) "backup") -}}
{{- with $root.Values.common.image.registry }}{{ . | trimSuffix "/" }}/{{ end -}}
{{ $image.repository }}:{{ $image.tag }}
{{- end -}}

{{/* An environment variable from the store's Secret. Takes (list $ "NAME" "key"). */}}
{{- define "common.secretEnv" -}}
{{- $root := index . 0 -}}
- name: {{ index . 1 }}
  valueFrom:
    secretKeyRef:
      name: {{ $root.Values.common.credentialsSecret }}
      key: {{ index . 2 }}
{{- end -}}
