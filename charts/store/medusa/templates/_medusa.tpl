{{/*
What the image's medusa-config.js reads. Kubernetes puts the passwords into the two URLs; they consist of letters and
digits, so nothing has to be escaped there.
*/}}
{{- define "medusa.env" -}}
- name: NODE_ENV
  value: production
- name: NODE_OPTIONS
  value: --max-old-space-size={{ .Values.medusa.heapMiB }}
{{ include "common.secretEnv" (list . "DATABASE_PASSWORD" "db-password") }}
{{ include "common.secretEnv" (list . "REDIS_PASSWORD" "redis-password") }}
{{ include "common.secretEnv" (list . "JWT_SECRET" "jwt-secret") }}
{{ include "common.secretEnv" (list . "COOKIE_SECRET" "cookie-secret") }}
- name: DATABASE_URL
  value: postgres://medusa:$(DATABASE_PASSWORD)@{{ include "common.name" (list . "postgres") }}:5432/medusa?sslmode=disable
- name: REDIS_URL
  value: redis://:$(REDIS_PASSWORD)@{{ include "common.name" (list . "valkey") }}:6379/0
- name: MEDUSA_BACKEND_URL
  value: {{ .Values.common.store.url | quote }}
- name: STORE_CORS
  value: {{ include "medusa.origins" . | quote }}
- name: ADMIN_CORS
  value: {{ .Values.common.store.url | quote }}
- name: AUTH_CORS
  value: {{ include "medusa.origins" . | quote }}
- name: MEDUSA_WORKER_MODE
  value: shared
- name: MEDUSA_DISABLE_TELEMETRY
  value: "true"
# Medusa writes below its home directory at every start and ends where it cannot.
- name: HOME
  value: /tmp
{{- end -}}

{{/* Where browsers may call the shop from. */}}
{{- define "medusa.origins" -}}
{{- concat (list .Values.common.store.url) .Values.medusa.storefronts | uniq | join "," -}}
{{- end -}}

{{- define "medusa.mounts" -}}
- name: data
  mountPath: /app/static
- name: tmp
  mountPath: /tmp
{{- end -}}
