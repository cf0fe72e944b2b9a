{{- define "common.backup.script" }}
# How all engines' stores are backed up. Before it come, beside common.repository.script, the functions of the engine: connect, count, which sets $orders, $products and
# $myisam, and with_dump, which calls its arguments with the command that dumps the database behind them, to become $DUMP_NAME; without that name there is no database. The
# database comes first and the files second, so that what the database names is there. All is streamed: nothing of the store is written anywhere but to the repository.
orders=0 products=0 myisam=0 database='' files='' secrets=''

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
	find_previous
	printf %s "$RESTIC_PASSWORD" >"$MEMORY/password"
	(export RESTIC_PASSWORD="$previous"; exec restic key add --new-password-file "$MEMORY/password") >/dev/null 2>"$said" || fail "the repository does not take the new key: $(why)"
	opens || fail "the repository does not open with the new key: $(why)"
	echo "backup: the repository has the new key"
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
	*) fail "the $part cannot be backed up: $(why)" ;;
	esac
	id=$(field snapshot_id)
	[ -n "$id" ] || fail "the $part cannot be backed up: restic names no snapshot"
	added=$((added + $(field data_added_packed)))
	bytes=$((bytes + $(field total_bytes_processed)))
}

# unreadable prints what could not be read, except for what was deleted meanwhile.
unreadable() { grep -v '"message_type":"error".*no such file or directory' "$said" || true; }

# is_kept ID: whether the repository has the snapshot, in its own words.
is_kept() { [ -z "$1" ] || grep -q "\"id\":\"$1\"" "$MEMORY/kept"; }

unlock() { run restic unlock >/dev/null 2>"$said" || echo "$JOB: old locks stay: $(why)"; } # only those whose holder is gone are removed

added=0 bytes=0 number=0
tags="engine=$ENGINE,version=$VERSION,edition=$EDITION,data=$DATA"
open_repository
unlock
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

{{- define "common.backup.env" -}}
- name: RUN
  valueFrom:
    fieldRef: {apiVersion: v1, fieldPath: metadata.uid}
- name: EDITION
  valueFrom:
    fieldRef: {apiVersion: v1, fieldPath: "metadata.annotations['orchestrator/edition']"}
- name: VERSION
  value: {{ .Chart.AppVersion | quote }}
- name: LIMIT_KIB
  value: {{ .Values.common.backup.limitKiB | quote }}
{{- end -}}

{{/* The pod that backs a store up: database, files and credentials. Takes what common.repository does, without the job. */}}
{{- define "common.backup" -}}
{{ include "common.repository" (concat (list (first .) "backup") (rest .)) }}
{{- end -}}
