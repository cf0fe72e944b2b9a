{{- /* The first and the last line of the script are cut off by what tries it without Helm: .ci/backup-test. Kubernetes reads $$ in it as $. */ -}}
{{- define "common.backup.script" }}
# What all engines' backups have in common. Before it come the functions of the engine: connect, count, which sets $orders, $products and $myisam, and with_dump, which
# calls its arguments with the command that dumps the database behind them, to become $DUMP_NAME; without that name there is no database. The database comes first and the
# files second, so that what the database names is there. All is streamed: nothing of the store is written anywhere but to the repository.
set -eu
umask 077
export LC_ALL=C TMPDIR="${TMPDIR:-/tmp}" RESTIC_CACHE_DIR="${TMPDIR:-/tmp}/cache"
: "${CREDENTIALS:=/credentials}" "${FILES:=/files}" "${MEMORY:=/run/backup}" "${RESULT:=/dev/termination-log}" "${PATIENCE:=60}"
began=$(date +%s)
said=$MEMORY/said child='' orders=0 products=0 myisam=0 database='' files='' secrets=''

fail() { # fail WHAT: what it says is the pod's last word
	echo "backup: $1" >&2
	exit 1
}
why() { # the end of what a command has said, in one line
	plain <"$said" | tail -n 5 | tr -s '\n\t ' ' ' | tail -c 800
}
plain() { sed 's/^{.*"message":"\([^"]*\)".*/\1/'; } # of what restic says as JSON

# A signal ends what runs. This is the container's first process, for which the kernel has no default, and with which all others end; restic gets a second for its lock.
trap 'trap "" TERM; [ -z "$child" ] || kill "$child" 2>/dev/null; sleep 1; exit 143' TERM
run() { # run COMMAND...: its output is in files; the result is the command's
	"$@" &
	child=$!
	status=0
	wait "$child" || status=$?
	child=''
	return "$status"
}

opens() { run timeout "$PATIENCE" restic cat config --no-lock >/dev/null 2>"$said"; }

# A repository is made only where the storage says that there is none: restic ends with 10 then, and with 12 where the password is wrong.
open_repository() {
	opened=0
	opens || opened=$?
	case $opened in
	0) ;;
	10) run restic init >/dev/null 2>"$said" || fail "the repository cannot be made: $(why)" ;;
	12) renew_key ;;
	*) fail "the repository cannot be opened: $(why)" ;;
	esac
}

# The key of the installation was rotated: the repository gets the new password beside the old one.
renew_key() {
	printf %s "$RESTIC_PASSWORD" >"$MEMORY/password"
	for previous in ${PREVIOUS_PASSWORDS:-}; do
		if (export RESTIC_PASSWORD="$previous"; exec restic cat config --no-lock) >/dev/null 2>"$said"; then
			(export RESTIC_PASSWORD="$previous"; exec restic key add --new-password-file "$MEMORY/password") >/dev/null 2>"$said" || fail "the repository does not take the new key: $(why)"
			opens || fail "the repository does not open with the new key: $(why)"
			echo "backup: the repository has the new key"
			return
		fi
	done
	fail "no key of this installation opens the repository: it was made with another one, which has to be named behind the first"
}

field() { sed -n 's/.*"message_type":"summary".*"'"$1"'":"\{0,1\}\([^",}]*\).*/\1/p' "$MEMORY/summary"; }

# snapshot PART ARGUMENT...: leaves the id of the snapshot in $id. A snapshot whose command or whose folder could not be read to its end is none.
snapshot() {
	part=$1
	shift
	status=0
	run restic backup --json --quiet --no-scan --host "$STORE" --limit-upload "$LIMIT_KIB" --tag "run=$RUN,part=$part,$tags" "$@" >"$MEMORY/summary" 2>"$said" || status=$?
	case $status in
	0) ;;
	3) [ -z "$(unreadable)" ] || fail "the $part cannot be read: $(unreadable | plain | head -n 1 | head -c 800)" ;;
	*) fail "the $part is not backed up: $(why)" ;;
	esac
	id=$(field snapshot_id)
	[ -n "$id" ] || fail "the $part is not backed up: restic names no snapshot"
	added=$((added + $(field data_added_packed)))
	bytes=$((bytes + $(field total_bytes_processed)))
}

# unreadable prints what could not be read, except for what was deleted meanwhile.
unreadable() { grep -v '"message_type":"error".*no such file or directory' "$said" || true; }

# is_kept ID: whether the repository has the snapshot, in its own words.
is_kept() { [ -z "$1" ] || grep -q "\"id\":\"$1\"" "$MEMORY/kept"; }

if [ -n "${GATE_CA:-}" ]; then
	printf '%s\n' "$GATE_CA" >"$MEMORY/ca.crt"
	export RESTIC_CACERT="$MEMORY/ca.crt"
fi
added=0 bytes=0 number=0
tags="engine=$ENGINE,version=$VERSION,edition=$EDITION,data=$DATA"
open_repository
run restic unlock >/dev/null 2>"$said" || echo "backup: old locks stay: $(why)" # only those whose holder is gone are removed
if [ -n "$DUMP_NAME" ]; then
	connect
	count 2>"$said" || fail "the database cannot be counted: $(why)"
	[ "$myisam" = 0 ] || echo "backup: $myisam tables are outside of transactions: what is written to them meanwhile may not fit the rest"
	tags="$tags,orders=$orders,products=$products"
	with_dump snapshot database --stdin-filename "$DUMP_NAME" --stdin-from-command --
	database=$id
fi
if [ -e "$FILES" ]; then
	snapshot files --exclude "$FILES/lost+found" "$FILES"
	files=$id number=$(field total_files_processed)
fi
mkdir -p "$MEMORY/credentials"
cp "$CREDENTIALS"/* "$MEMORY/credentials/"
snapshot secrets "$MEMORY/credentials"
secrets=$id
run restic snapshots --json --no-lock --tag "run=$RUN" >"$MEMORY/kept" 2>"$said" || fail "the repository cannot be read again: $(why)"
if ! is_kept "$database" || ! is_kept "$files" || ! is_kept "$secrets"; then
	fail "the repository does not have all parts of what was written to it"
fi
printf '{"run":"%s","at":%s,"database":"%s","files":"%s","secrets":"%s","added":%s,"bytes":%s,"number":%s,"orders":%s,"products":%s,"myisam":%s,"seconds":%s}\n' \
	"$RUN" "$began" "$database" "$files" "$secrets" "$added" "$bytes" "$number" "$orders" "$products" "$myisam" "$(($(date +%s) - began))" >"$RESULT"
{{ end -}}

{{/*
The pod that backs a store up: database, files and credentials, to the store's own repository behind the installation's gate. The worker makes the Secret with
what opens it, for as long as the pod runs. Takes (list $ uid gid "file of the engine's functions" (dict "name" …, "host" …, "user" …, "database" …, or empty)
"key of persistence with the files, or nothing").
*/}}
{{- define "common.backup" -}}
{{- $root := index . 0 -}}
{{- $database := index . 4 -}}
{{- $claim := index . 5 -}}
{{ include "common.job" (list $root "backup" (index . 1) (index . 2) (ne $claim "")) }}
  containers:
    - name: backup
      {{- include "common.container" (list $root "backup") | nindent 6 }}
      command: [sh, -c]
      args:
        - |
          {{- with index . 3 }}{{ $root.Files.Get . | nindent 10 }}{{ end }}
          {{- include "common.backup.script" $root | nindent 10 }}
      env:
        - name: RUN
          valueFrom:
            fieldRef: {apiVersion: v1, fieldPath: metadata.uid}
        - name: EDITION
          valueFrom:
            fieldRef: {apiVersion: v1, fieldPath: "metadata.annotations['orchestrator/edition']"}
        - name: STORE
          value: {{ $root.Values.common.storeLabel | quote }}
        - name: ENGINE
          value: {{ $root.Chart.Name }}
        - name: VERSION
          value: {{ $root.Chart.AppVersion | quote }}
        - name: DATA
          value: {{ index $root.Chart.Annotations "orchestrator/data" | default "0" | quote }}
        - name: LIMIT_KIB
          value: {{ $root.Values.common.backup.limitKiB | quote }}
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
          readOnly: true
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
