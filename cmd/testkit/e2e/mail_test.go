//go:build realcluster

package e2e

import (
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/textproto"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	mailSecret = "e2e-mail"
	mailSender = "shops@example.com"
	mailLogin  = "shops"
)

// mailbox is an SMTP server on this machine, where pods reach it. It takes mail from who knows the password, and keeps it.
type mailbox struct {
	t        *testing.T
	listener net.Listener
	password string
	secrets  string
	mu       sync.Mutex
	mails    []letter
}

// letter is a mail as it came.
type letter struct {
	from    string
	to      []string
	headers mail.Header
	subject string
	text    string
}

// newMailbox has the stores send mail by a server at the address of the options; nil where none is given.
func newMailbox(t *testing.T, o *options, front *front) *mailbox {
	t.Helper()
	if o.mail == "" {
		return nil
	}
	m := &mailbox{t: t, password: fmt.Sprintf("mail-%d", time.Now().UnixNano())}
	if front != nil {
		m.secrets = front.secrets
	}
	if m.secrets == "" {
		m.secrets = t.TempDir()
	}
	write(t, filepath.Join(m.secrets, mailSecret, "username"), []byte(mailLogin))
	write(t, filepath.Join(m.secrets, mailSecret, "password"), []byte(m.password))
	var err error
	if m.listener, err = net.Listen("tcp", net.JoinHostPort(o.mail, "0")); err != nil {
		t.Fatalf("MAIL: %v", err)
	}
	done := make(chan struct{})
	go func() { defer close(done); m.serve() }()
	t.Cleanup(func() { m.listener.Close(); <-done })
	_, port, _ := net.SplitHostPort(m.listener.Addr().String())
	number, _ := strconv.Atoi(port)
	o.mailValues = map[string]any{"common": map[string]any{"mail": map[string]any{
		"host": o.mail, "port": number, "security": "none", "from": mailSender, "secretName": mailSecret, "cidrs": []any{o.mail + "/32"},
	}}}
	return m
}

func (m *mailbox) env() []string {
	if m == nil {
		return nil
	}
	return []string{"ORCH_STORE_SECRETS_DIR=" + m.secrets}
}

func (m *mailbox) serve() {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		conn, err := m.listener.Accept()
		if err != nil {
			return
		}
		open.Add(1)
		go func() {
			defer open.Done()
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			m.talk(textproto.NewConn(conn))
		}()
	}
}

// talk is one session of SMTP, with the words that PHPMailer and Nodemailer use.
func (m *mailbox) talk(c *textproto.Conn) {
	var l letter
	known := false
	_ = c.PrintfLine("220 mailbox")
	for {
		line, err := c.ReadLine()
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			_ = c.PrintfLine("250-mailbox\r\n250 AUTH PLAIN")
		case "AUTH":
			_, given, at := strings.Cut(rest, " ") // with the verb, or when asked for
			if !at {
				_ = c.PrintfLine("334 ")
				given, _ = c.ReadLine()
			}
			if known = given == base64.StdEncoding.EncodeToString([]byte("\x00"+mailLogin+"\x00"+m.password)); known {
				_ = c.PrintfLine("235 welcome")
			} else {
				_ = c.PrintfLine("535 wrong login")
			}
		case "MAIL":
			l = letter{from: between(rest, "<", ">")}
			if known {
				_ = c.PrintfLine("250 go on")
			} else {
				_ = c.PrintfLine("530 log in first")
			}
		case "RCPT":
			l.to = append(l.to, between(rest, "<", ">"))
			_ = c.PrintfLine("250 go on")
		case "DATA":
			_ = c.PrintfLine("354 go on")
			m.keep(l, c.DotReader())
			_ = c.PrintfLine("250 kept")
		case "QUIT":
			_ = c.PrintfLine("221 bye")
			return
		default:
			_ = c.PrintfLine("250 go on")
		}
	}
}

func between(text, before, after string) string {
	_, text, _ = strings.Cut(text, before)
	text, _, _ = strings.Cut(text, after)
	return text
}

func (m *mailbox) keep(l letter, from io.Reader) {
	read, err := mail.ReadMessage(from)
	if err != nil {
		m.t.Errorf("a mail that cannot be read: %v", err)
		return
	}
	body := read.Body
	switch strings.ToLower(read.Header.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		m.t.Errorf("a mail that cannot be read: %v", err)
	}
	l.headers, l.text = read.Header, string(text)
	if l.subject, err = new(mime.WordDecoder).DecodeHeader(read.Header.Get("Subject")); err != nil {
		m.t.Errorf("the subject of a mail cannot be read: %v", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mails = append(m.mails, l)
}

// to are the mails that went to this address.
func (m *mailbox) to(address string) (found []letter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.mails {
		for _, to := range l.to {
			if to == address {
				found = append(found, l)
			}
		}
	}
	return found
}

// mailed checks that guest and owner were told of the order by mail, from the installation's address and with answers to the shop's own.
func (tr *tour) mailed() string {
	t := tr.rig.t
	t.Helper()
	owner := tr.visit()
	tr.shopper.login(owner, tr.password)
	if told := tr.shopper.saysNoMail(owner); told == (tr.mailbox != nil) {
		t.Fatalf("the dashboard says that no mail is sent: %t; a server is named: %t", told, tr.mailbox != nil)
	}
	if tr.mailbox == nil {
		return "the dashboard says that none is sent; MAIL names no address of this machine"
	}
	var seen []string
	for _, address := range []string{"guest@example.com", tr.store.Settings.AdminEmail} {
		found := tr.letter(address, tr.shopper.number(owner, tr.order))
		if found.from != mailSender || !strings.Contains(found.headers.Get("From"), mailSender) {
			t.Fatalf("the mail to %s is from %s, %s; want %s", address, found.from, found.headers.Get("From"), mailSender)
		}
		if address != tr.store.Settings.AdminEmail && !strings.Contains(found.headers.Get("Reply-To"), tr.store.Settings.AdminEmail) {
			t.Fatalf("answers to the mail to %s go to %q, want the shop's own address", address, found.headers.Get("Reply-To"))
		}
		seen = append(seen, fmt.Sprintf("%q to %s", found.subject, address))
	}
	return strings.Join(seen, ", ")
}

// letter waits for the mail to an address that names this.
func (tr *tour) letter(address, name string) (found letter) {
	tr.rig.t.Helper()
	tr.eventually("a mail to "+address, 2*time.Minute, func() bool {
		time.Sleep(100 * time.Millisecond)
		for _, l := range tr.mailbox.to(address) {
			if strings.Contains(l.text+l.subject, name) {
				found = l
			}
		}
		return found.text != ""
	})
	return found
}
