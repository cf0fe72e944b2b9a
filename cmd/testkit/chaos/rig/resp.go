package rig

import (
	"bufio"
	"errors"
	"io"
	"strconv"
)

// command is one command to Redis: its words, and the bytes as they arrived.
type command struct {
	raw   []byte
	words []string
}

// readCommand reads a command in the form in which clients send it: an array of bulk strings.
func readCommand(r *bufio.Reader) (command, error) {
	var c command
	n, err := c.header(r, '*')
	for ; err == nil && n > 0; n-- {
		err = c.word(r)
	}
	return c, err
}

func (c *command) header(r *bufio.Reader, kind byte) (int, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return 0, err
	}
	c.raw = append(c.raw, line...)
	if len(line) < 4 || line[0] != kind {
		return 0, errors.New("not a Redis command")
	}
	return strconv.Atoi(string(line[1 : len(line)-2]))
}

func (c *command) word(r *bufio.Reader) error {
	size, err := c.header(r, '$')
	if err != nil {
		return err
	}
	from := len(c.raw)
	c.raw = append(c.raw, make([]byte, size+2)...)
	_, err = io.ReadFull(r, c.raw[from:])
	c.words = append(c.words, string(c.raw[from:from+size]))
	return err
}
