package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"
	"sync/atomic"
)

// errOtherContent says that a file is not what its name says.
var errOtherContent = errors.New("the content's SHA-256 is not the name")

// upload is a file on its way to the storage. Its last bytes are held back until the hash of all of it is the name: of another file the storage gets less than
// the Content-Length that it was told, and keeps nothing.
type upload struct {
	io.ReadCloser
	name string // "": any content
	left int64  // bytes that are still to come, of the Content-Length
	hash hash.Hash

	read  atomic.Int64
	mu    sync.Mutex // the transport reads while the answer may be there already
	err   error
	whole bool
}

func newUpload(body io.ReadCloser, length int64, name string) *upload {
	return &upload{ReadCloser: body, name: name, left: length, hash: sha256.New()}
}

func (u *upload) Read(p []byte) (int, error) {
	if err := u.failure(); err != nil {
		return 0, err
	}
	n, err := u.ReadCloser.Read(p)
	u.hash.Write(p[:n])
	u.left -= int64(n)
	u.read.Add(int64(n))
	switch {
	case u.left > 0 && errors.Is(err, io.EOF):
		return 0, u.end(io.ErrUnexpectedEOF)
	case err != nil && !errors.Is(err, io.EOF):
		return 0, u.end(fmt.Errorf("reading from the client: %w", err))
	case u.left > 0:
		return n, nil
	case u.name != "" && hex.EncodeToString(u.hash.Sum(nil)) != u.name:
		return 0, u.end(errOtherContent)
	}
	_ = u.end(nil)
	return n, err
}

// end notes how the upload has ended: err is nil where all of it may go.
func (u *upload) end(err error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.err, u.whole = err, err == nil
	return err
}

// failure is why the upload was not passed on to its end, nil while nothing speaks against it.
func (u *upload) failure() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

// isWhole says that all of it was handed on and is what its name says.
func (u *upload) isWhole() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.whole
}
