{{/*
What the image's medusa-config.js reads. Kubernetes puts the passwords into the two URLs; they consist of letters and
digits, so nothing has to be escaped there. Takes (list $ "shared", "server" or "worker" "key of resources").
*/}}
{{- define "medusa.env" -}}
{{- $mode := index . 1 -}}
{{- $resources := index . 2 -}}
{{- with index . 0 -}}
- name: NODE_ENV
  value: production
- name: NODE_OPTIONS
  value: --max-old-space-size={{ include "medusa.heap" (list . $resources) }}
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
  value: {{ $mode }}
- name: MEDUSA_DISABLE_TELEMETRY
  value: "true"
# Medusa writes below its home directory at every start and exits where it cannot.
- name: HOME
  value: /tmp
{{- end -}}
{{- end -}}

{{/* The most that Node may use for objects: three quarters of the memory limit, in MiB. Takes (list $ "key of resources"). */}}
{{- define "medusa.heap" -}}
{{- div (include "common.units" (index (index . 0).Values.resources (index . 1)).limits.memory | int64) (div 4194304000 3) -}}
{{- end -}}

{{/* Where browsers may call the shop from. */}}
{{- define "medusa.origins" -}}
{{- concat (list .Values.common.store.url) .Values.medusa.storefronts | uniq | join "," -}}
{{- end -}}

{{/* The mode of the shop's pods: all of Medusa, or only what serves requests. The jobs of a shop that is a restore test are not its own. */}}
{{- define "medusa.mode" -}}
{{- ternary "server" "shared" (or .Values.worker.enabled .Values.common.restoreTest) -}}
{{- end -}}

{{- define "medusa.replicas" -}}
{{- if gt (int .Values.medusa.replicas) 1 -}}
{{- include "common.mustShare" (list . "medusa.replicas above 1") -}}
{{- end -}}
{{- include "common.replicas" (list . .Values.medusa.replicas) -}}
{{- end -}}

{{/* All pods, as common.quota counts them. */}}
{{- define "medusa.pods" -}}
- {containers: [medusa], replicas: {{ .Values.medusa.replicas }}, surge: 1}
{{- if .Values.worker.enabled }}
- {containers: [worker], replicas: {{ .Values.worker.replicas }}, surge: 1}
{{- end }}
- {containers: [postgres], init: [postgres], replicas: 1}
- {containers: [valkey], replicas: 1}
- {containers: [test], replicas: 1}
- {containers: [medusa], replicas: 1, job: true}
{{- end -}}

{{/*
The pod of the shop or of a worker. Takes (list $ "component" replicas); the containers are the caller's.
*/}}
{{- define "medusa.pod" -}}
{{- $root := index . 0 -}}
metadata:
  labels:
    {{- include "common.identity" . | nindent 4 }}
  annotations:
    {{- include "common.checksum" (list $root "bootstrap/*") | nindent 4 }}
spec:
  {{- include "common.pod" (list $root 1000 1000) | nindent 2 }}
  {{- with include "common.spread" . }}
  {{- . | nindent 2 }}
  {{- end }}
  terminationGracePeriodSeconds: 40
  volumes:
    - name: data
      persistentVolumeClaim:
        claimName: {{ include "common.name" (list $root "data") }}
    - name: tmp
      emptyDir:
        sizeLimit: 256Mi
    - name: bootstrap
      configMap:
        name: {{ include "common.name" (list $root "bootstrap") }}
{{- end -}}

{{/*
The container of the shop or of a worker. Both ensure migrations, administrator and settings before they listen, one pod at a time: either may
start first. It is one process, because loading Medusa is most of what a start takes. Takes (list $ "mode" "key of resources").
*/}}
{{- define "medusa.container" -}}
{{- $root := index . 0 -}}
{{- include "common.container" (list $root "medusa") }}
command: [node, bootstrap/start.js]
workingDir: /app
ports:
  - name: http
    containerPort: 9000
envFrom:
  - configMapRef:
      name: {{ include "common.name" (list $root "settings") }}
env:
  {{- include "medusa.env" . | nindent 2 }}
  {{- include "common.secretEnv" (list $root "STORE_ADMIN_PASSWORD" "admin-password") | nindent 2 }}
  - name: PORT
    value: "9000"
  {{- with include "common.mail" $root }}
  {{- . | nindent 2 }}
  # A value here would be searched for $(...), which an address may hold.
  - name: MAIL_OWNER
    valueFrom:
      configMapKeyRef:
        name: {{ include "common.name" (list $root "settings") }}
        key: STORE_ADMIN_EMAIL
  {{- end }}
# /health says that Medusa has started and nothing about the database; without a key no path of Medusa does.
# The orchestrator requests products before it reports the store as ready. The wait for the backends and the migrations have no limit, and Medusa's own
# start has one in start.js: a kill would not shorten either.
startupProbe:
  {{- include "common.httpGet" (list $root "/health") | nindent 2 }}
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 86400
readinessProbe:
  {{- include "common.httpGet" (list $root "/health") | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
livenessProbe:
  {{- include "common.httpGet" (list $root "/health") | nindent 2 }}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 6
{{- if include "common.shared" $root }}
# Until the cluster sends requests to other pods only. Where this pod has to be gone before the next one starts, it would only keep the shop closed.
lifecycle:
  preStop:
    exec:
      command: [sleep, "5"]
{{- end }}
resources:
  {{- toYaml (index $root.Values.resources (index . 2)) | nindent 2 }}
volumeMounts:
  {{- include "medusa.mounts" $root | nindent 2 }}
  # Within Medusa's folder, because the scripts use its dependencies.
  - name: bootstrap
    mountPath: /app/bootstrap
{{- end -}}

{{/* Below the volume's top, where a file system keeps its lost+found and initdb would refuse to work. */}}
{{- define "medusa.pgdata" -}}
- name: PGDATA
  value: /var/lib/postgresql/data/pgdata
{{- end -}}

{{- define "medusa.mounts" -}}
- name: data
  mountPath: /app/static
- name: tmp
  mountPath: /tmp
{{- end -}}
