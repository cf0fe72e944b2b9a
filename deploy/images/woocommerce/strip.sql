-- What belongs to one shop, and is made again in each: users, keys, ids, what is cached, and what the bootstrap has saved for itself.
TRUNCATE wp_users;
TRUNCATE wp_usermeta;
TRUNCATE wp_woocommerce_api_keys;
TRUNCATE wp_woocommerce_sessions;
TRUNCATE wp_actionscheduler_logs;
DELETE FROM wp_options WHERE option_name LIKE '\_transient\_%' OR option_name LIKE '\_site\_transient\_%' OR option_name LIKE 'orchestrator\_%';
DELETE FROM wp_options WHERE option_name IN
  ('woocommerce_store_id', 'woocommerce_inbox_variant_assignment', 'woocommerce_remote_variant_assignment', 'woocommerce_maxmind_geolocation_settings', 'rewrite_rules',
   'recovery_keys', 'secret_key', 'auth_key', 'auth_salt', 'secure_auth_key', 'secure_auth_salt', 'logged_in_key', 'logged_in_salt', 'nonce_key', 'nonce_salt');
