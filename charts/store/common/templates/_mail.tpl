{{/* The environment of a container that sends mail: nothing where no server is named. */}}
{{- define "common.mail" -}}
{{- $root := . -}}
{{- with .Values.common.mail -}}
{{- if and .host (not $root.Values.common.restoreTest) -}}
- name: MAIL_HOST
  value: {{ .host | quote }}
- name: MAIL_PORT
  value: {{ .port | quote }}
- name: MAIL_SECURITY
  value: {{ .security }}
- name: MAIL_FROM
  value: {{ .from | quote }}
{{- range ternary (list "username" "password") list (ne .secretName "") }}
- name: MAIL_{{ upper . }}
  valueFrom:
    secretKeyRef:
      name: {{ $root.Values.common.mail.secretName | quote }}
      key: {{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
