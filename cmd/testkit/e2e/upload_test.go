//go:build realcluster

package e2e

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"mime/multipart"
	"net/textproto"
	"testing"
)

// uploadLarge uploads what a camera makes, which each proxy on the way and the shop itself could find too large.
func (tr *tour) uploadLarge() string {
	t := tr.rig.t
	owner, large := tr.visit(), largePicture(t)
	tr.shopper.login(owner, tr.password)
	at := tr.shopper.upload(owner, large)
	if got := tr.visit().page(at); got != string(large) {
		t.Fatalf("the picture of %d bytes has %d when it is fetched, or others", len(large), len(got))
	}
	return fmt.Sprintf("%.1f MB uploaded, and fetched unchanged", float64(len(large))/1e6)
}

// largePicture is a PNG of more than 20 MiB. Its sides are short enough for WordPress to keep it as it is.
func largePicture(t *testing.T) []byte {
	t.Helper()
	const side = 2300
	noise := rand.New(rand.NewPCG(1, 2))
	picture := image.NewNRGBA(image.Rect(0, 0, side, side))
	for i := range picture.Pix {
		picture.Pix[i] = byte(noise.Uint32())
	}
	var text bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&text, picture); err != nil {
		t.Fatal(err)
	}
	if text.Len() < 20<<20 {
		t.Fatalf("the picture has only %d bytes", text.Len())
	}
	return text.Bytes()
}

// pictureForm is a form with a picture, as a browser sends it.
func pictureForm(t *testing.T, field string, picture []byte) (form []byte, kind string) {
	t.Helper()
	var text bytes.Buffer
	w := multipart.NewWriter(&text)
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename="picture.png"`, field)}, "Content-Type": {"image/png"}})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(picture) // to memory
	_ = w.Close()
	return text.Bytes(), w.FormDataContentType()
}
