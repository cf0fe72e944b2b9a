{{/* Whether WordPress's code is in the image (static) or on the store's volume (stock). */}}
{{- define "woocommerce.static" -}}
{{- if eq .Values.wordpress.layout "static" }}true{{ end -}}
{{- end -}}

{{/* Where WordPress's code is. */}}
{{- define "woocommerce.root" -}}
{{- ternary "/usr/src/wordpress" "/var/www/html" (eq .Values.wordpress.layout "static") -}}
{{- end -}}

{{/* The key of images that the shop runs. */}}
{{- define "woocommerce.image" -}}
{{- ternary "static" "wordpress" (eq .Values.wordpress.layout "static") -}}
{{- end -}}

{{/*
What the official wp-config.php reads, at every request. WORDPRESS_CONFIG_EXTRA is evaluated as PHP: it is constant
text, and what belongs to the store comes in through getenv.
*/}}
{{- define "woocommerce.env" -}}
- name: WORDPRESS_DB_HOST
  value: {{ include "common.name" (list . "mariadb") }}
- name: WORDPRESS_DB_NAME
  value: wordpress
- name: WORDPRESS_DB_USER
  value: wordpress
{{ include "common.secretEnv" (list . "WORDPRESS_DB_PASSWORD" "db-password") }}
{{- range list "auth-key" "secure-auth-key" "logged-in-key" "nonce-key" "auth-salt" "secure-auth-salt" "logged-in-salt" "nonce-salt" }}
{{ include "common.secretEnv" (list $ (printf "WORDPRESS_%s" (. | upper | replace "-" "_")) (printf "wordpress-%s" .)) }}
{{- end }}
- name: STORE_MAX_BODY
  value: {{ .Values.common.maxBody | quote }}
- name: WORDPRESS_CONFIG_EXTRA
  value: |
    define('WP_HOME', getenv('STORE_URL'));
    define('WP_SITEURL', getenv('STORE_URL'));
    {{- if include "common.alwaysHTTPS" . }}
    $_SERVER['HTTPS'] = 'on';
    {{- end }}
    define('DISABLE_WP_CRON', true);
    define('WP_AUTO_UPDATE_CORE', false);
    define('DISALLOW_FILE_EDIT', true);
    {{- if include "woocommerce.static" . }}
    define('DISALLOW_FILE_MODS', true);
    {{- end }}
{{- end -}}

{{/* The environment of a container that sets the shop up: settings, and the secrets of a new shop besides those that every request needs. */}}
{{- define "woocommerce.setUp" -}}
envFrom:
  - configMapRef:
      name: {{ include "common.name" (list . "settings") }}
env:
  {{- include "woocommerce.env" . | nindent 2 }}
  {{- include "common.secretEnv" (list . "STORE_ADMIN_PASSWORD" "admin-password") | nindent 2 }}
  {{- include "common.secretEnv" (list . "STORE_REST_KEY" "rest-consumer-key") | nindent 2 }}
  {{- include "common.secretEnv" (list . "STORE_REST_SECRET" "rest-consumer-secret") | nindent 2 }}
  - name: WOOCOMMERCE_VERSION
    value: {{ .Values.wordpress.woocommerceVersion | quote }}
  - name: HOME
    value: /tmp
{{- end -}}

{{/* The volumes' places in a container that runs WordPress's code. */}}
{{- define "woocommerce.mounts" -}}
- name: data
{{- if include "woocommerce.static" . }}
  mountPath: {{ include "woocommerce.root" . }}/wp-content/uploads
  subPath: wp-content/uploads
{{- else }}
  mountPath: {{ include "woocommerce.root" . }}
{{- end }}
- name: tmp
  mountPath: /tmp
{{- end -}}

{{/* How many pods the shop has. In the stock layout each would change the code of the others. */}}
{{- define "woocommerce.replicas" -}}
{{- if gt (int .Values.wordpress.replicas) 1 -}}
{{- include "common.mustShare" (list . "wordpress.replicas above 1") -}}
{{- if not (include "woocommerce.static" .) -}}
{{- fail "wordpress.replicas above 1 needs wordpress.layout static: pods of the stock layout share their code" -}}
{{- end -}}
{{- end -}}
{{- include "common.replicas" (list . .Values.wordpress.replicas) -}}
{{- end -}}

{{/* Whether two pods of the shop may run at once. In the stock layout the new one would change the code of the old one. */}}
{{- define "woocommerce.overlaps" -}}
{{- if include "woocommerce.static" . }}{{ include "common.shared" . }}{{ end -}}
{{- end -}}

{{/* All pods, as common.quota counts them. */}}
{{- define "woocommerce.pods" -}}
- {containers: [wordpress, cron], init: [{{ if not (include "woocommerce.static" .) }}bootstrap{{ end }}], replicas: {{ .Values.wordpress.replicas }}, surge: 1}
- {containers: [mariadb], init: [mariadb], replicas: 1}
- {containers: [test], replicas: 1}
- {containers: [bootstrap], replicas: 1, job: true}
{{- end -}}
