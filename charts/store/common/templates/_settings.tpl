{{/*
The settings of the store, as environment variables for the bootstrap. They are in a ConfigMap because Kubernetes expands
$(NAME) in the value of a container's variable, but not in what envFrom reads: a title stays unchanged.
*/}}
{{- define "common.settings.data" -}}
{{- $store := .Values.common.store -}}
STORE_URL: {{ $store.url | quote }}
STORE_TITLE: {{ $store.title | quote }}
STORE_ADMIN_USER: {{ $store.adminUser | quote }}
STORE_ADMIN_EMAIL: {{ $store.adminEmail | quote }}
STORE_CURRENCY: {{ $store.currency | quote }}
STORE_COUNTRY: {{ $store.country | quote }}
STORE_LOCALE: {{ $store.locale | quote }}
STORE_SAMPLE_PRODUCT: {{ ternary "yes" "no" $store.sampleProduct | quote }}
{{- end -}}

{{- define "common.settings" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "common.name" (list . "settings") }}
  labels:
    {{- include "common.labels" (list . "shop") | nindent 4 }}
data:
  {{- include "common.settings.data" . | nindent 2 }}
{{- end -}}

{{/* A ConfigMap of the files of one folder of the chart. Takes (list $ "name" "folder/*"). */}}
{{- define "common.files" -}}
{{- $root := index . 0 -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "common.name" (list $root (index . 1)) }}
  labels:
    {{- include "common.labels" (list $root "shop") | nindent 4 }}
data:
  {{- range $path, $_ := $root.Files.Glob (index . 2) }}
  {{ base $path }}: |
    {{- $root.Files.Get $path | trimSuffix "\n" | nindent 4 }}
  {{- end }}
# Helm trims the white space at the end of an object; this line keeps that of the last file.
{{- end -}}

{{/*
An annotation that changes with the settings and the scripts, and with nothing else: pods read both at their start, so a
change has to replace the pods. Takes (list $ "folder/*" ...).
*/}}
{{- define "common.checksum" -}}
{{- $root := index . 0 -}}
{{- $text := include "common.settings.data" $root -}}
{{- range rest . -}}
{{- $text = print $text ($root.Files.Glob .).AsConfig -}}
{{- end -}}
orchestrator/settings-checksum: {{ sha256sum $text }}
{{- end -}}
