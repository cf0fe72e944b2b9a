//go:build realcluster

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// door is what connections are tried to.
type door struct {
	name, kind string // the kind is a function of tries
	host       string
	port       int32
	extra      string // the shop's host name
}

// tries are the functions of the script that runs in each place. A connection is open, silent after two seconds, or what the system calls it; a policy that
// refuses looks like a port that nothing listens on, so a closed door says something only where the same door is seen open from another place.
const tries = `tcp() {
  local said; said=$(timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$2" "$3" 2>&1)
  case $? in 0) echo "$1 open";; 124) echo "$1 silent";; *) echo "$1 ${said##*: }";; esac
}
udp() { # any answer of a name server to a question for svc.cluster.local
  local said; said=$(timeout 2 bash -c 'exec 3<>"/dev/udp/$0/$1" && printf "\0\1\1\0\0\1\0\0\0\0\0\0\3svc\7cluster\5local\0\0\1\0\1" >&3 && head -c 2 <&3 | wc -c' "$2" "$3" 2>/dev/null)
  case $? in 124) echo "$1 silent";; *) if [[ $said == 2 ]]; then echo "$1 open"; else echo "$1 refused"; fi;; esac
}
http() {
  local said; said=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "HEAD / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" "$2" >&3 && read -r line <&3 && echo "$line"' "$2" "$3" "$4" 2>&1)
  case $?/$said in 0/HTTP/1.?\ [23]*) echo "$1 open";; 124/*) echo "$1 silent";; *) echo "$1 ${said##*: }";; esac
}
`

// script tries all doors at once.
func script(all []door) string {
	var text strings.Builder
	text.WriteString(tries)
	for i, o := range all {
		fmt.Fprintf(&text, "%s %d '%s' %d '%s' &\n", o.kind, i, o.host, o.port, o.extra)
	}
	text.WriteString("wait\n")
	return text.String()
}

// want is what is expected of one door from one place.
type want int

const (
	closed want = iota
	open
	either // not the policies' business, or seen as a control only
	same   // the place is behind the door itself
)

// walk is one look at all doors from all places: seen[place][door].
type walk map[string]map[string]string

const isOpen = "open"

// look tries all doors from all places.
func (d *doors) look(t *testing.T) walk {
	t.Helper()
	seen, mu, all := walk{}, sync.Mutex{}, sync.WaitGroup{}
	var errs []error
	for _, p := range d.places {
		all.Go(func() {
			found, err := d.lookFrom(p)
			mu.Lock()
			defer mu.Unlock()
			seen[p.name] = found
			if err != nil {
				errs = append(errs, fmt.Errorf("from %s nothing can be tried: %w", p.name, err))
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return seen
}

func (d *doors) lookFrom(p place) (map[string]string, error) {
	all := d.doors
	if p.port != 0 {
		all = append(slices.Clone(all), door{name: itself, kind: "tcp", host: "127.0.0.1", port: p.port})
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := p.run(ctx, script(all))
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for line := range strings.Lines(out) {
		number, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		if i, err := strconv.Atoi(number); err == nil && i < len(all) {
			found[all[i].name] = what
		}
	}
	if len(found) != len(all) {
		return nil, fmt.Errorf("%d of %d doors were tried: %s", len(found), len(all), shorten(out))
	}
	return found, nil
}

// itself is the door by which a place shows that it can try: its own port, on its own loopback address.
const itself = "its own port"

// wrong are the differences between what was seen and what is wanted, and what is not proven.
func (d *doors) wrong(seen walk) (all []string) {
	for _, p := range d.places {
		if p.port != 0 && seen[p.name][itself] != isOpen {
			all = append(all, fmt.Sprintf("%s does not reach its own port %d (%s): what it finds closed says nothing", p.name, p.port, seen[p.name][itself]))
		}
		for _, o := range d.doors {
			switch got := seen[p.name][o.name] == isOpen; d.wanted(p.name, o.name) {
			case open:
				if !got {
					all = append(all, fmt.Sprintf("%s to %s is closed (%s) and should be open", p.name, o.name, seen[p.name][o.name]))
				}
			case closed:
				if got {
					all = append(all, fmt.Sprintf("%s to %s is open and should be closed", p.name, o.name))
				}
			}
		}
	}
	for _, o := range d.doors {
		if len(d.control(seen, o.name)) == 0 {
			all = append(all, fmt.Sprintf("%s (%s) is open from no place: that it is closed says nothing", o.name, net.JoinHostPort(o.host, fmt.Sprint(o.port))))
		}
	}
	return all
}

// control are the places that a door is seen open from.
func (d *doors) control(seen walk, door string) (places []string) {
	for _, p := range d.places {
		if seen[p.name][door] == isOpen && d.wanted(p.name, door) != same {
			places = append(places, p.name)
		}
	}
	return places
}

// print prints the matrix: what is not as wanted is in capitals, and what may be either in parentheses.
func (d *doors) print(to io.Writer, seen walk) {
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "\nTO \\ FROM")
	for _, p := range d.places {
		fmt.Fprint(table, "\t"+p.name)
	}
	fmt.Fprintln(table)
	for _, o := range d.doors {
		fmt.Fprint(table, o.name)
		for _, p := range d.places {
			fmt.Fprint(table, "\t"+cell(d.wanted(p.name, o.name), seen[p.name][o.name]))
		}
		fmt.Fprintln(table)
	}
	_ = table.Flush() // standard output
	fmt.Fprintln(to)
}

func cell(w want, seen string) string {
	got := "-"
	if seen == isOpen {
		got = "open"
	}
	switch {
	case w == same:
		return ""
	case w == either:
		return "(" + got + ")"
	case w == open && got != "open":
		return "CLOSED!"
	case w == closed && got == "open":
		return "OPEN!"
	}
	return got
}
