# Requests the front page as a shopper would.
wget -q -O - --header "Host: ${STORE_URL#*://}" "$SHOP/" | grep -q '<h1>'
