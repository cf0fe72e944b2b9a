// Package login knows who uses the monitor: it checks names and passwords, keeps sessions in a signed cookie, and says which role a user has.
package login

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// Role is what a user may do.
type Role string

// A viewer sees everything and changes nothing.
const (
	Viewer   Role = "viewer"
	Operator Role = "operator"
)

// User is a person who is logged in.
type User struct {
	Name string
	Role Role
}

// Users knows the passwords. Key changes with them, so that sessions end when a password does.
type Users interface {
	Check(name, password string) (User, bool)
	Find(name string) (User, bool)
	Key() []byte
}

// One is the single user of an installation without a file of users.
type One struct {
	User     User
	Password string
}

// Check implements [Users]. Hashes have the same length and both are always compared, so that the time reveals nothing about either.
func (o One) Check(name, password string) (User, bool) {
	equal := func(a, b string) int {
		x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
		return subtle.ConstantTimeCompare(x[:], y[:])
	}
	return o.User, equal(name, o.User.Name)&equal(password, o.Password) == 1
}

// Find implements [Users].
func (o One) Find(name string) (User, bool) { return o.User, name == o.User.Name }

// Key implements [Users].
func (o One) Key() []byte {
	sum := sha256.Sum256([]byte(o.User.Name + "\x00" + string(o.User.Role) + "\x00" + o.Password))
	return sum[:]
}

// File is a file of users: a line for each, with the name, the role and the bcrypt hash of the password, separated by spaces. Empty lines and those that begin with #
// are skipped. It is read again when it has changed; a file with a mistake leaves the users as they were.
type File struct {
	path    string
	turn    chan struct{} // bcrypt is slow by intent: a few at a time
	mu      sync.Mutex
	changed time.Time
	size    int64
	users   map[string]fileUser
	unknown []byte // the hash of names that are not listed
	log     *slog.Logger
	key     []byte
}

type fileUser struct {
	User
	hash []byte
}

// OpenFile reads a file of users. All mistakes are reported at once, by line; no error has a hash in it.
func OpenFile(path string, log *slog.Logger) (*File, error) {
	f := &File{path: path, log: log, turn: make(chan struct{}, 2)}
	return f, f.read()
}

func (f *File) read() error {
	if info, err := os.Stat(f.path); err == nil { // before it is read: what is written in between is read again
		f.changed, f.size = info.ModTime(), info.Size()
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	users, err := parseUsers(text)
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	sum := sha256.Sum256(text)
	f.users, f.key = users, sum[:]
	f.unknown, err = bcrypt.GenerateFromPassword([]byte("x"), costOf(users))
	return err
}

func parseUsers(text []byte) (map[string]fileUser, error) {
	users := map[string]fileUser{}
	var bad []error
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		mistake := func(why string) { bad = append(bad, fmt.Errorf("line %d: %s", n, why)) }
		if len(words) != 3 {
			mistake("want a name, a role and the bcrypt hash of the password, separated by spaces")
			continue
		}
		u := fileUser{User{words[0], Role(words[1])}, []byte(words[2])}
		if !slices.Contains([]Role{Viewer, Operator}, u.Role) {
			mistake("the role must be viewer or operator")
		}
		if _, err := bcrypt.Cost(u.hash); err != nil {
			mistake("the third word is not a bcrypt hash, such as htpasswd -nB prints")
		}
		if _, twice := users[u.Name]; twice {
			mistake("there is a line for this name before")
		}
		users[u.Name] = u
	}
	if len(users) == 0 && len(bad) == 0 {
		bad = append(bad, errors.New("no user is listed"))
	}
	return users, errors.Join(bad...)
}

// current reads the file again if it has changed.
func (f *File) current() (map[string]fileUser, []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if info, err := os.Stat(f.path); err == nil && (!info.ModTime().Equal(f.changed) || info.Size() != f.size) {
		if err := f.read(); err != nil {
			f.log.Error("the file of users is not read; who may log in stays as it was", "error", err)
		}
	}
	return f.users, f.key
}

// costOf is the highest cost of the users' hashes.
func costOf(users map[string]fileUser) int {
	most := bcrypt.MinCost
	for _, u := range users {
		if cost, err := bcrypt.Cost(u.hash); err == nil {
			most = max(most, cost)
		}
	}
	return most
}

// Check implements [Users].
func (f *File) Check(name, password string) (User, bool) {
	users, _ := f.current()
	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	u, known := users[name]
	if !known {
		u.hash = f.unknown // it takes as long as a known one
	}
	return u.User, bcrypt.CompareHashAndPassword(u.hash, []byte(password)) == nil && known
}

// Find implements [Users].
func (f *File) Find(name string) (User, bool) {
	users, _ := f.current()
	u, known := users[name]
	return u.User, known
}

// Key implements [Users].
func (f *File) Key() []byte {
	_, key := f.current()
	return key
}
