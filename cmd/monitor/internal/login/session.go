package login

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

const (
	cookieName  = "orchestrator-session"
	sessionMost = 12 * time.Hour  // then one logs in again
	sessionIdle = 2 * time.Hour   // without a request
	sessionSeen = 5 * time.Minute // how exactly the last request is known
)

// session is what the cookie says. The role is that of the user as it is now.
type session struct {
	Name   string `json:"n"`
	Issued int64  `json:"i"` // Unix seconds
	Seen   int64  `json:"s"`
}

// sessions writes and reads signed cookies. Two processes with the same key and users agree.
type sessions struct {
	users Users
	key   string // "": the users' alone
	now   func() time.Time
}

func (s *sessions) sign(text string) string {
	mac := hmac.New(sha256.New, append([]byte("session\x00"+s.key+"\x00"), s.users.Key()...))
	mac.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (s *sessions) write(w http.ResponseWriter, r *http.Request, value session) {
	text, _ := json.Marshal(value) // a text and two numbers
	payload := base64.RawURLEncoding.EncodeToString(text)
	s.set(w, r, payload+"."+s.sign(payload), int(sessionMost.Seconds()))
}

// set sets the cookie. Lax, since a user who follows the link of an alert is logged in already; changes from other sites are refused elsewhere.
func (s *sessions) set(w http.ResponseWriter, r *http.Request, value string, seconds int) {
	secure := isSecure(r)
	http.SetCookie(w, &http.Cookie{Name: nameOf(secure), Value: value, Path: "/", MaxAge: seconds, HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode})
}

// isSecure says whether the browser sees TLS. A client that only says so gets a cookie that it cannot send.
func isSecure(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// nameOf is the cookie's name. With TLS no other host can set it: shops may live on hosts beside this one.
func nameOf(secure bool) string {
	if secure {
		return "__Host-" + cookieName
	}
	return cookieName
}

// begin logs a user in.
func (s *sessions) begin(w http.ResponseWriter, r *http.Request, u User) {
	now := s.now().Unix()
	s.write(w, r, session{u.Name, now, now})
}

// end logs out.
func (s *sessions) end(w http.ResponseWriter, r *http.Request) { s.set(w, r, "", -1) }

// user is who sends a request. A session that is in use is written anew from time to time.
func (s *sessions) user(w http.ResponseWriter, r *http.Request) (User, bool) {
	cookie, err := r.Cookie(nameOf(isSecure(r)))
	if err != nil {
		return User{}, false
	}
	payload, mac, _ := strings.Cut(cookie.Value, ".")
	if !hmac.Equal([]byte(mac), []byte(s.sign(payload))) {
		return User{}, false
	}
	var value session
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(text, &value) != nil {
		return User{}, false
	}
	now := s.now()
	if now.Sub(time.Unix(value.Issued, 0)) > sessionMost || now.Sub(time.Unix(value.Seen, 0)) > sessionIdle {
		return User{}, false
	}
	u, known := s.users.Find(value.Name)
	if known && now.Sub(time.Unix(value.Seen, 0)) > sessionSeen {
		s.write(w, r, session{value.Name, value.Issued, now.Unix()})
	}
	return u, known
}
