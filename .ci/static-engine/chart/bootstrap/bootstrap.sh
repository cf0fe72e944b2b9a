#!/bin/sh
# Writes the front page and the owner's password file. Settings come from STORE_*, the password from the environment.
set -eu

escape() { printf %s "$1" | sed 's/&/\&amp;/g; s/</\&lt;/g'; }

mkdir -p /shop/public
title=$(escape "$STORE_TITLE")
printf '<!doctype html><html lang="%s"><title>%s</title><h1>%s</h1>\n' "${STORE_LOCALE%%_*}" "$title" "$title" >/shop/public/index.html
printf '%s:{PLAIN}%s\n' "$STORE_ADMIN_USER" "$STORE_ADMIN_PASSWORD" >/shop/users
