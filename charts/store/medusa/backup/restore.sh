# How a shop's database is emptied and filled: the part of a restore that is Medusa's, beside that of a backup.
DUMP_ENDS='' # pg_restore says whether there is an end

connections="FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
others() { ask "SELECT COUNT(*) $connections"; }
end_others() { ask "SELECT pg_terminate_backend(pid) $connections"; }

empty() {
	ask "DO 'DECLARE name text; BEGIN
		FOR name IN SELECT nspname FROM pg_namespace WHERE nspname <> ''information_schema'' AND nspname NOT LIKE ''pg\\_%'' LOOP
			EXECUTE format(''DROP SCHEMA %I CASCADE'', name);
		END LOOP;
		PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
		CREATE SCHEMA public AUTHORIZATION pg_database_owner;
		GRANT USAGE ON SCHEMA public TO PUBLIC;
		COMMENT ON SCHEMA public IS ''standard public schema'';
		CREATE TABLE public.orchestrator_restoring (generation text, done boolean);
		INSERT INTO public.orchestrator_restoring VALUES (''$GENERATION'', false);
	END'"
}
done_with() { ask "UPDATE public.orchestrator_restoring SET done = true"; }
whole() {
	case $(ask "SELECT COUNT(*) > 0, COUNT(*) FILTER (WHERE table_name = 'orchestrator_restoring') FROM information_schema.tables WHERE table_schema = 'public'") in
	't|0') ;;
	't|1') [ "$(ask "SELECT COUNT(*) FROM public.orchestrator_restoring WHERE done AND generation <> '$GENERATION'")" = 1 ] ;;
	*) return 1 ;;
	esac
}

# All of it or nothing.
load() { exec pg_restore --no-owner --exit-on-error --single-transaction --dbname="$DB_NAME"; }

# What follows an error's first words quotes the dump.
refusal() { sed -n -e 's/^\(pg_restore: error: [^:]*\).*/\1/p' -e '/^pg_restore: from TOC entry/p'; }

# The shop's start finds the mark and empties Valkey, whose jobs and sessions are of another time (bootstrap/restored.js).
loaded() {
	ask "CREATE TABLE IF NOT EXISTS orchestrator_bootstrap (step text PRIMARY KEY, inputs text NOT NULL);
		INSERT INTO orchestrator_bootstrap VALUES ('restored', '$RUN') ON CONFLICT (step) DO UPDATE SET inputs = excluded.inputs"
}
