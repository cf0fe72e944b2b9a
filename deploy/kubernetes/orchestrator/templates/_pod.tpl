{{/*
What all pods have in common, around one container: (list $ "ingest" $values), $values being .Values.ingest. The rest of the
container comes from "orchestrator.<component>.container".
*/}}
{{- define "orchestrator.pod" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}{{- $values := index . 2 -}}
metadata:
  labels:
    {{- include "orchestrator.labels" (list $root $component) | nindent 4 }}
  annotations:
    # An existing Secret that was changed reaches the pods with the next upgrade.
    {{- $existing := dict }}{{ $tokens := dict }}
    {{- /* The gate of backups has a Secret of its own, and nothing to do with Redis. */}}
    {{- $isGate := eq $component "backupgate" }}
    {{- with ternary $values.existingSecret $root.Values.existingSecret $isGate }}{{ $existing = lookup "v1" "Secret" $root.Release.Namespace . }}{{ end }}
    checksum/secret: {{ list (ternary (dict) $root.Values.secrets $isGate) $existing.data | toJson | sha256sum }}
    {{- $tokensSecret := "" }}
    {{- if eq $component "ingest" }}{{ $tokensSecret = $root.Values.tokensSecret }}{{ end }}
    {{- /* The monitor reads its file of users again when it changes, so that needs no new pod. */}}
    {{- $usersSecret := "" }}
    {{- if eq $component "monitor" }}{{ $usersSecret = $values.usersSecret }}{{ end }}
    {{- with $tokensSecret }}
    {{- $tokens = lookup "v1" "Secret" $root.Release.Namespace . }}
    checksum/tokens: {{ list . $tokens.data | toJson | sha256sum }}
    {{- end }}
    {{- if eq $component "worker" }}
    checksum/store-values: {{ $root.Values.storeValues | toJson | sha256sum }}
    {{- end }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "orchestrator.name" $root }}-{{ $component }}
  automountServiceAccountToken: {{ eq $component "worker" }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: {{ $component }}
      image: {{ include "orchestrator.image" (list $root (printf "orchestrator-%s" $component)) | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      {{- include (printf "orchestrator.%s.container" $component) $root | nindent 6 }}
        - {name: ORCH_LOG_LEVEL, value: {{ $root.Values.logLevel | quote }}}
        {{- if not $isGate }}
        {{- include "orchestrator.redisURL" $root | nindent 8 }}
        {{- end }}
        {{- range $name, $value := $values.env }}
        - {name: {{ $name }}, value: {{ $value | toString | quote }}}
        {{- end }}
      {{- $storeValues := and (eq $component "worker") $root.Values.storeValues }}
      {{- $storeSecrets := list }}
      {{- if eq $component "worker" }}{{ $storeSecrets = $root.Values.storeSecrets }}{{ end }}
      {{- $redisTLS := ternary "" $root.Values.redisTLS.secretName $isGate }}
      {{- $gateTLS := "" }}
      {{- if $isGate }}{{ $gateTLS = $values.tlsSecret }}{{ end }}
      {{- if or $gateTLS $storeValues $storeSecrets $redisTLS $tokensSecret $usersSecret $values.extraVolumeMounts }}
      volumeMounts:
        {{- if $redisTLS }}
        - {name: redis-tls, mountPath: /etc/redis-tls, readOnly: true}
        {{- end }}
        {{- if $gateTLS }}
        - {name: backupgate-tls, mountPath: /etc/backupgate-tls, readOnly: true}
        {{- end }}
        {{- if $tokensSecret }}
        - {name: tokens, mountPath: /etc/orchestrator-tokens, readOnly: true}
        {{- end }}
        {{- if $usersSecret }}
        - {name: users, mountPath: /etc/orchestrator-users, readOnly: true}
        {{- end }}
        {{- if $storeValues }}
        - {name: store-values, mountPath: /etc/orchestrator, readOnly: true}
        {{- end }}
        {{- range $i, $secret := $storeSecrets }}
        - {name: store-secret-{{ $i }}, mountPath: /etc/orchestrator-store-secrets/{{ $secret }}, readOnly: true}
        {{- end }}
        {{- with $values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- end }}
  {{- if or $gateTLS $storeValues $storeSecrets $redisTLS $tokensSecret $usersSecret $values.extraVolumes }}
  volumes:
    {{- if $redisTLS }}
    - name: redis-tls
      secret: {secretName: {{ $redisTLS }}}
    {{- end }}
    {{- if $gateTLS }}
    - name: backupgate-tls
      secret: {secretName: {{ $gateTLS }}}
    {{- end }}
    {{- if $tokensSecret }}
    - name: tokens
      secret: {secretName: {{ $tokensSecret }}}
    {{- end }}
    {{- if $usersSecret }}
    - name: users
      secret: {secretName: {{ $usersSecret }}}
    {{- end }}
    {{- if $storeValues }}
    - name: store-values
      configMap: {name: {{ include "orchestrator.name" $root }}-store-values}
    {{- end }}
    {{- range $i, $secret := $storeSecrets }}
    - name: store-secret-{{ $i }}
      secret: {secretName: {{ $secret }}}
    {{- end }}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "orchestrator.selector" (list $root $component) | nindent 10 }}
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* One variable from the Secret: (list $ "NAME"), and a third element where it may be missing. */}}
{{- define "orchestrator.secretEnv" -}}
- name: {{ index . 1 }}
  valueFrom:
    secretKeyRef: {name: {{ include "orchestrator.secret" (index . 0) }}, key: {{ index . 1 }}{{ if gt (len .) 2 }}, optional: true{{ end }}}
{{- end -}}

{{- define "orchestrator.redisURL" -}}
{{- if .Values.redis.enabled -}}
{{ include "orchestrator.secretEnv" (list . "REDIS_PASSWORD") }}
- {name: REDIS_URL, value: "redis://:$(REDIS_PASSWORD)@{{ include "orchestrator.name" . }}-redis:6379"}
{{- else -}}
{{ include "orchestrator.secretEnv" (list . "REDIS_URL") }}
{{- end -}}
{{- with .Values.redisTLS }}
{{- if .secretName }}
- {name: ORCH_REDIS_CA_FILE, value: /etc/redis-tls/ca.crt}
{{- end }}
{{- if .clientCertificate }}
- {name: ORCH_REDIS_CERT_FILE, value: /etc/redis-tls/tls.crt}
- {name: ORCH_REDIS_KEY_FILE, value: /etc/redis-tls/tls.key}
{{- end }}
{{- with .serverName }}
- {name: ORCH_REDIS_SERVER_NAME, value: {{ . }}}
{{- end }}
{{- end }}
{{- end -}}

{{/* Liveness asks the process alone, readiness also what it depends on: (list "admin" "/readyz"). */}}
{{- define "orchestrator.probes" -}}
livenessProbe:
  httpGet: {path: /healthz, port: {{ index . 0 }}}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 6
readinessProbe:
  httpGet: {path: {{ index . 1 }}, port: {{ index . 0 }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 3
{{- end -}}

{{- define "orchestrator.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "orchestrator.name" (index . 0) }}-{{ index . 1 }}
  namespace: {{ (index . 0).Release.Namespace }}
  labels:
    {{- include "orchestrator.labels" . | nindent 4 }}
automountServiceAccountToken: false
{{- end -}}

{{- define "orchestrator.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "orchestrator.name" (index . 0) }}-{{ index . 1 }}
  namespace: {{ (index . 0).Release.Namespace }}
  labels:
    {{- include "orchestrator.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "orchestrator.selector" . | nindent 6 }}
{{- end -}}
