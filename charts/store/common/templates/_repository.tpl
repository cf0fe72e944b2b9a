{{- /* The first and the last line of a script are cut off by what tries it without Helm: .ci/backup-test. Kubernetes reads $$ in it as $. */ -}}
{{- define "common.repository.script" }}
# What backups and restores of all engines have in common; before it come the functions of the engine.
set -eu
umask 077
export LC_ALL=C TMPDIR="${TMPDIR:-/tmp}" RESTIC_CACHE_DIR="${TMPDIR:-/tmp}/cache"
: "${CREDENTIALS:=/credentials}" "${FILES:=/files}" "${MEMORY:=/run/backup}" "${RESULT:=/dev/termination-log}" "${PATIENCE:=60}"
began=$(date +%s)
said=$MEMORY/said child=''

fail() { # fail WHAT: what it says is the pod's last word
	printf '%s\n' "$JOB: ${refused:-}$1" >&2
	exit 1
}
why() { # the end of what a command has said, in one line
	plain <"$said" | tail -n 5 | tr -s '\n\t ' ' ' | tail -c 800
}
# Of what restic says as JSON the first line, for behind it come its own calls; and nothing of what it says when it is told to stop.
plain() { sed 's/^{.*"message":"\([^"]*\)".*/\1/; s/\\n.*//; s/\\u003c/</g; s/\\u003e/>/g; /signal terminated received/d; /: context canceled$/d; /^Is there a repository at/d; /^rest:/d'; }

# A signal ends what runs. This is the container's first process, for which the kernel has no default, and with which all others end; restic gets a second for its lock.
trap 'trap "" TERM; [ -z "$child" ] || kill $child 2>/dev/null; sleep 1; exit 143' TERM
run() { # run COMMAND...: its output is in files; the result is the command's
	"$@" &
	child=$!
	status=0
	wait "$child" || status=$?
	child=''
	return "$status"
}

opens() { run timeout "$PATIENCE" restic cat config --no-lock >/dev/null 2>"$said"; }

# Leaves the password that opens the repository, of those that are not the newest, in $previous.
find_previous() {
	for previous in ${PREVIOUS_PASSWORDS:-}; do
		if (export RESTIC_PASSWORD="$previous"; exec restic cat config --no-lock) >/dev/null 2>"$said"; then return; fi
	done
	fail "no key of this installation opens the repository: it was made with another one, which has to be named behind the first"
}

if [ -n "${GATE_CA:-}" ]; then
	printf '%s\n' "$GATE_CA" >"$MEMORY/ca.crt"
	export RESTIC_CACERT="$MEMORY/ca.crt"
fi
{{ end -}}

{{/*
A pod that works with the store's own repository behind the installation's gate. The worker makes the Secret with what opens it, for as long as the pod
runs. Takes (list $ "job" uid gid "folder of the engine's functions" (dict "name" …, "host" …, "user" …, "database" …, or empty)
"key of persistence with the files, or nothing"); the job's own script is common.<job>.script, its variables common.<job>.env. Only a restore changes the files.
*/}}
{{- define "common.repository" -}}
{{- $root := index . 0 -}}
{{- $job := index . 1 -}}
{{- $database := index . 5 -}}
{{- $claim := index . 6 -}}
{{- $restores := eq $job "restore" -}}
{{ include "common.job" (list $root $job (index . 2) (index . 3) (and (ne $claim "") (not $restores))) }}
  containers:
    - name: {{ $job }}
      {{- include "common.container" (list $root "backup") | nindent 6 }}
      command: [sh, -c]
      args:
        - |
          {{- with index . 4 }}
          {{- $root.Files.Get (print . "/backup.sh") | nindent 10 }}
          {{- if $restores }}{{ $root.Files.Get (print . "/restore.sh") | nindent 10 }}{{ end }}
          {{- end }}
          {{- include "common.repository.script" $root | nindent 10 }}
          {{- include (printf "common.%s.script" $job) $root | nindent 10 }}
      env:
        - name: JOB
          value: {{ $job }}
        {{- include (printf "common.%s.env" $job) $root | nindent 8 }}
        - name: STORE
          value: {{ $root.Values.common.storeLabel | quote }}
        - name: ENGINE
          value: {{ $root.Chart.Name }}
        - name: DATA
          value: {{ index $root.Chart.Annotations "orchestrator/data" | default "0" | quote }}
        - name: HOME
          value: /tmp
        - name: DUMP_NAME
          value: {{ get $database "name" | quote }}
        {{- if $database }}
        - name: DB_HOST
          value: {{ $database.host | quote }}
        - name: DB_USER
          value: {{ $database.user | quote }}
        - name: DB_NAME
          value: {{ $database.database | quote }}
        {{- end }}
        {{- range $name, $key := dict "RESTIC_REPOSITORY" "repository" "RESTIC_PASSWORD" "password" "RESTIC_REST_USERNAME" "username" "RESTIC_REST_PASSWORD" "gate-password" "PREVIOUS_PASSWORDS" "previous-passwords" "GATE_CA" "gate-ca" }}
        - name: {{ $name }}
          valueFrom:
            secretKeyRef:
              name: store-backup-access
              key: {{ $key }}
              {{- if has $key (list "previous-passwords" "gate-ca") }}
              optional: true
              {{- end }}
        {{- end }}
      resources:
        {{- toYaml $root.Values.common.backup.resources | nindent 8 }}
      volumeMounts:
        {{- if $claim }}
        - name: data
          mountPath: /files
          {{- if not $restores }}
          readOnly: true
          {{- end }}
        {{- end }}
        - name: credentials
          mountPath: /credentials
          readOnly: true
        - name: memory
          mountPath: /run/backup
        - name: tmp
          mountPath: /tmp
  volumes:
    {{- with $claim }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ include "common.name" (list $root .) }}
    {{- end }}
    - name: credentials
      secret:
        secretName: {{ $root.Values.common.credentialsSecret }}
    # What is secret, and what commands have said.
    - name: memory
      emptyDir:
        medium: Memory
        sizeLimit: 8Mi
    # Packs that are being sent, and restic's index.
    - name: tmp
      emptyDir:
        sizeLimit: 1Gi
{{- end -}}
