{{- define "common.restore.script" }}
# How all engines' stores are restored. Before it come, beside common.repository.script, the functions of the engine: connect and count, as for a backup; others, which prints
# how many connections of the shop are open, and end_others; whole, whether this restore has begun to change nothing, and no other one is half done; empty,
# which leaves nothing in the database but a mark with the restore's generation; done_with, which says in the mark that the restore is done: where its message is lost it is done once more; load, which fills it from its standard input; refusal, which
# prints of what load has said, from its standard input, what quotes nothing of the shop's; and loaded, which comes after that. A dump that ends without $DUMP_ENDS is none. What is wrong with the backup itself is found before anything is changed. It may be killed at any time: the
# next run begins again. The repository is only read, without a lock: storage that is full, or takes nothing for another reason, gives back what it has.
: "${DRAIN:=60}"
orders=0 products=0 sealed='' sealing=$RESTIC_PASSWORD
# Begins what is said while the store is as it was. The worker takes the store out of its restore then, and nothing else: a try before may have changed the database.
refused=''
if [ -z "$DUMP_NAME" ] || { connect && whole 2>"$said"; }; then refused='refused: '; fi

# No repository is made here, and none gets a key.
open_repository() {
	opened=0
	opens || opened=$?
	case $opened in
	0) ;;
	10) fail "the storage of backups has no repository of this store: it was never backed up there, or the installation had another name (ORCH_INSTALLATION) or another gate then" ;;
	12)
		find_previous
		RESTIC_PASSWORD=$previous
		;;
	*) fail "the repository cannot be opened: $(why)" ;;
	esac
}

tag() { sed -n 's/^ *"'"$2"'=\([^"]*\)",\{0,1\}$/\1/p' "$MEMORY/$1"; } # tag PART NAME
host() { sed -n 's/^ *"hostname": "\([^"]*\)",\{0,1\}$/\1/p' "$MEMORY/$1"; }

# check PART SNAPSHOT: whether it may become this store's.
check() {
	[ -n "$2" ] || return 0
	run restic cat snapshot "$2" --no-lock >"$MEMORY/$1" 2>"$said" || fail "the backup's $1 cannot be found in the repository: $(why)"
	[ "$(host "$1")" = "$STORE" ] || fail "snapshot $2 is of another store"
	[ "$(tag "$1" run)" = "$RUN" ] || fail "snapshot $2 is not of the backup $RUN"
	[ "$(tag "$1" part)" = "$1" ] || fail "snapshot $2 has not the $1 of the backup, but its $(tag "$1" part)"
	[ "$(tag "$1" engine)" = "$ENGINE" ] || fail "the backup is of a shop of the engine $(tag "$1" engine), and the store is one of $ENGINE"
	data=$(tag "$1" data)
	if [ "${data:-0}" -gt "$DATA" ]; then
		fail "the backup is of a newer version of the data ($data) than the edition of the store ($DATA); bring the store up to date first: orchestrator retry STORE_ID --force upgrade"
	fi
}

# seal leaves in $sealed the credentials of the backup, which only the worker can open: what a pod leaves as its message is no secret. What a rotation had drawn and not
# given to the shop yet is left out.
seal() {
	run restic restore --no-lock --quiet "$SECRETS_SNAPSHOT:$MEMORY/credentials" --target "$MEMORY/entries" >/dev/null 2>"$said" || fail "the credentials of the backup cannot be read: $(why)"
	text='credentials 1'
	for entry in "$MEMORY"/entries/*; do
		[ -e "$entry" ] || fail "the backup has no credentials"
		case $entry in *-next) continue ;; esac
		text="$text
${entry##*/} $(cat "$entry")"
	done
	sealed=$(printf '%s\n' "$text" | RESTIC_PASSWORD="$sealing" openssl enc -aes-256-cbc -pbkdf2 -iter 100000 -md sha256 -salt -a -A -pass env:RESTIC_PASSWORD 2>"$said") || fail "the credentials of the backup cannot be sealed: $(why)"
	[ ${#sealed} -le 3800 ] || fail "the credentials of the backup are too long for the message of a pod"
}

# stream COMMAND...: hands the dump to the command. Both have to end well.
stream() {
	rm -f "$MEMORY/dump"
	mkfifo "$MEMORY/dump"
	restic dump --no-lock "$DATABASE_SNAPSHOT" "/$DUMP_NAME" >"$MEMORY/dump" 2>"$said" &
	child=$!
	"$@" <"$MEMORY/dump" 2>"$MEMORY/refused" &
	child="$child $!"
	status=0
	for process in $child; do wait "$process" || status=$?; done
	child=''
	return "$status"
}

# alone SECONDS: whether no connection of the shop is open any more, at the latest then.
alone() {
	last=$(($(date +%s) + $1))
	while :; do
		open=$(others 2>"$said") || fail "the database cannot be asked for its connections: $(why)"
		[ "$open" != 0 ] || return 0
		[ "$(date +%s)" -lt "$last" ] || return 1
		sleep 1
	done
}

restore_database() {
	# It is read twice: what cannot be read to its end is no reason to empty a database.
	stream tail -c 200 >"$MEMORY/end" || fail "the database of the backup cannot be read, and nothing was changed: $(why)"
	case $(cat "$MEMORY/end") in
	*"$DUMP_ENDS"*) ;;
	*) fail "the database of the backup has no end, and nothing was changed" ;;
	esac
	connect
	if ! alone "$DRAIN"; then
		echo "restore: $open connections of the shop are open after $DRAIN s, and are ended"
		end_others >/dev/null 2>"$said" || true
		alone 10 || fail "$open connections of the shop are open again, and nothing was changed: the shop has to be stopped"
	fi
	refused=''
	run empty >/dev/null 2>"$said" || fail "the database cannot be emptied: $(why)"
	stream load >/dev/null || fail "the database is not restored, and what it has is not whole: $(refusal <"$MEMORY/refused" | tr '\n' ' ' | head -c 400) $(why)"
	loaded >/dev/null 2>"$said" || fail "the database cannot be marked as restored: $(why)"
	count 2>"$said" || fail "the restored database cannot be counted: $(why)"
	if [ "$orders" -lt "$(tag database orders)" ] || [ "$products" -lt "$(tag database products)" ]; then
		fail "the restored database has $orders orders and $products products, and the backup has $(tag database orders) and $(tag database products)"
	fi
}

# Files that differ are written, and those that the backup does not have go. A folder that its owner may not change is none that a restore leaves out.
restore_files() {
	refused=''
	find "$FILES" -type d -user "$(id -u)" ! -perm -u=rwx -exec chmod u+rwx {} + 2>"$said" || true
	run restic restore --no-lock --quiet "$FILES_SNAPSHOT:$FILES" --target "$FILES" --delete --exclude /lost+found >/dev/null 2>"$said" || fail "the files are not restored, and what there is is not whole: $(why)"
}

[ -n "$RUN" ] && [ -n "$DATABASE_SNAPSHOT$FILES_SNAPSHOT$SECRETS_SNAPSHOT" ] || fail "no backup is named (common.restore)"
[ -z "$DATABASE_SNAPSHOT" ] || [ -n "$DUMP_NAME" ] || fail "the backup has a database, and the store has none"
[ -z "$FILES_SNAPSHOT" ] || [ -e "$FILES" ] || fail "the backup has files, and the store has no volume for them"
open_repository
check database "$DATABASE_SNAPSHOT"
check files "$FILES_SNAPSHOT"
check secrets "$SECRETS_SNAPSHOT"
if [ -n "$SECRETS_SNAPSHOT" ]; then seal; fi
if [ -n "$DATABASE_SNAPSHOT" ]; then restore_database; fi
if [ -n "$FILES_SNAPSHOT" ]; then restore_files; fi
if [ -n "$DATABASE_SNAPSHOT" ]; then done_with >/dev/null 2>"$said" || fail "the database cannot be marked as whole: $(why)"; fi
printf '{"run":"%s","orders":%s,"products":%s,"seconds":%s,"credentials":"%s"}\n' "$RUN" "$orders" "$products" "$(($(date +%s) - began))" "$sealed" >"$RESULT"
{{ end -}}

{{- define "common.restore.env" -}}
{{- $restore := .Values.common.restore -}}
- name: RUN
  value: {{ $restore.run | quote }}
- name: GENERATION
  value: {{ $restore.generation | quote }}
- name: DATABASE_SNAPSHOT
  value: {{ $restore.database | quote }}
- name: FILES_SNAPSHOT
  value: {{ $restore.files | quote }}
- name: SECRETS_SNAPSHOT
  value: {{ $restore.secrets | quote }}
{{- end -}}

{{/*
The pod that puts a store back to one of its backups, which common.restore names, while nothing of the store runs but its database (common.restoring). Takes what
common.repository does, without the job.
*/}}
{{- define "common.restore" -}}
{{ include "common.repository" (concat (list (first .) "restore") (rest .)) }}
{{- end -}}
