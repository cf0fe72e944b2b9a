{{/*
What all pods have in common, without indentation, for a pod's spec. Service links are off because they would put one
variable per Service into each container, and images read variables by prefix: a Service "wordpress" breaks WordPress.
Takes (list $ uid gid).
*/}}
{{- define "common.pod" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ include "common.name" (list $root "shop") }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.common.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with $root.Values.common.scheduling.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.common.scheduling.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.common.scheduling.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ index . 1 }}
  runAsGroup: {{ index . 2 }}
  fsGroup: {{ index . 2 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{/* What all containers have in common. Takes (list $ "key of images"). */}}
{{- define "common.container" -}}
{{- $root := index . 0 -}}
image: {{ include "common.image" . | quote }}
imagePullPolicy: {{ $root.Values.common.image.pullPolicy }}
{{- /* The end of its log says why a container failed; the worker reads no logs. */}}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{/*
An init container of the shop of a restore test; nothing otherwise. A network enforces the policies of a new pod a moment after its start, or not at all, and a restored shop
has the owner's payment keys: it begins once the pod does not reach what every pod would without policies, the API server.
*/}}
{{- define "common.sealed" -}}
{{- if .Values.common.restoreTest -}}
- name: sealed
  {{- include "common.container" (list . "backup") | nindent 2 }}
  command: [bash, -c]
  args:
    - |
      closed=0
      for _ in $(seq 60); do
        if timeout 2 bash -c ': <"/dev/tcp/$KUBERNETES_SERVICE_HOST/$KUBERNETES_SERVICE_PORT"' 2>/dev/null; then closed=0; else closed=$((closed + 1)); fi
        if [ "$closed" = 2 ]; then exit 0; fi
        sleep 1
      done
      echo "the shop of a restore test is not started: its pod reaches the API server, so the network enforces no policies, and it could charge and mail the owner's customers; set ORCH_RESTORE_TEST_EVERY=0 in such a cluster"
      exit 1
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {cpu: 100m, memory: 32Mi}
{{- end -}}
{{- end -}}

{{/* The authority (host and port) of the store's URL: what a probe must send as Host. */}}
{{- define "common.authority" -}}
{{- (urlParse .Values.common.store.url).host -}}
{{- end -}}

{{/* The scheme of the store's URL: what an ingress would send as X-Forwarded-Proto. */}}
{{- define "common.scheme" -}}
{{- (urlParse .Values.common.store.url).scheme -}}
{{- end -}}

{{/*
A probe over HTTP that looks like a request through the ingress: without the forwarded scheme a shop on https answers
every request with a redirect to itself. Takes (list $ "/path").
*/}}
{{- define "common.httpGet" -}}
{{- $root := index . 0 -}}
httpGet:
  port: http
  path: {{ index . 1 }}
  httpHeaders:
    - name: Host
      value: {{ include "common.authority" $root | quote }}
    - name: X-Forwarded-Proto
      value: {{ include "common.scheme" $root }}
{{- end -}}

{{/*
What depends on the number of pods and on the volume, without indentation, for a Deployment's spec. Pods are replaced one after the other and
without a gap where several may use the shop's volume; otherwise the pod is deleted before its replacement starts, because its volume may be attached to
one node at a time. Takes (list $ "component" replicas "true where two pods may run at once").
*/}}
{{- define "common.rollout" -}}
replicas: {{ include "common.running" (list (index . 0) (index . 2)) }}
revisionHistoryLimit: 2
strategy:
{{- if index . 3 }}
  type: RollingUpdate
  rollingUpdate:
    maxSurge: 1
    maxUnavailable: 0
{{- else }}
  type: Recreate
{{- end }}
selector:
  matchLabels:
    {{- include "common.selector" . | nindent 4 }}
{{- end -}}

{{/*
For how many seconds a pod of the shop goes on after it is told to stop. Where another one serves meanwhile, requests still come until it is seen everywhere
that this one stops; where none does, it would only keep the shop closed for its next pod, and it answers what it has begun in any case.
Takes "true" where two pods may run at once.
*/}}
{{- define "common.drain" -}}
{{- if . -}}5{{- end -}}
{{- end -}}

{{/* How many pods run: none of a store that is suspended or being restored. Takes (list $ replicas). */}}
{{- define "common.running" -}}
{{- $common := (index . 0).Values.common -}}
{{- ternary 0 (index . 1) (or $common.suspended $common.restoring) -}}
{{- end -}}

{{/* The same of the database, which has one pod, and runs while the store is restored. */}}
{{- define "common.runningDatabase" -}}
{{- ternary 0 1 .Values.common.suspended -}}
{{- end -}}

{{/* Pods of one component are spread over the nodes. Takes (list $ "component" replicas). */}}
{{- define "common.spread" -}}
{{- if gt (int (index . 2)) 1 -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "common.selector" . | nindent 8 }}
{{- end -}}
{{- end -}}

{{/*
A drain may evict one of several pods at a time. A single pod has no budget: it would block the drain for ever. Takes (list $ "component" replicas).
*/}}
{{- define "common.disruption" -}}
{{- if gt (int (index . 2)) 1 -}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "common.name" . }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "common.selector" . | nindent 6 }}
{{- end -}}
{{- end -}}

{{/*
The frame of the pod that `helm test` runs; nothing else runs it. Takes (list $ uid gid); the container "test" is the caller's.
*/}}
{{- define "common.test" -}}
{{- $root := index . 0 -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "common.name" (list $root "test") }}
  labels:
    {{- include "common.labels" (list $root "test") | nindent 4 }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  {{- include "common.pod" . | nindent 2 }}
  restartPolicy: Never
  activeDeadlineSeconds: 120
{{- end -}}

{{/*
The frame of a pod that does one thing in a running shop and ends. It is no part of the release: the orchestrator makes it beside the shop, waits for its
end and deletes it. A shop's volume may be attached to one node at a time, so a pod that needs it has to be where the shop is.
It reaches what the shop does; a backup and a restore have a policy of their own. A restore runs while the shop is stopped, and is bound to no node. The worker waits for a time of its own: the pod's is for one that is left behind.
Takes (list $ "name" uid gid "true where it has to be where the shop is"); the container is the caller's.
*/}}
{{- define "common.job" -}}
{{- $root := index . 0 -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "common.name" . }}
  labels:
    {{- include "common.labels" (list $root (ternary (index . 1) "job" (has (index . 1) (list "backup" "restore")))) | nindent 4 }}
spec:
  {{- include "common.pod" (list $root (index . 2) (index . 3)) | nindent 2 }}
  {{- if index . 4 }}
  affinity:
    podAffinity:
      requiredDuringSchedulingIgnoredDuringExecution:
        - topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "common.selector" (list $root "shop") | nindent 14 }}
  {{- end }}
  restartPolicy: Never
  activeDeadlineSeconds: {{ ternary 14400 300 (has (index . 1) (list "backup" "restore")) }}
  terminationGracePeriodSeconds: 5
{{- end -}}
