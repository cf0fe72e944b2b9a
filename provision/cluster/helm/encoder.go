package helm

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"sync"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"
)

// encoder writes a release as Helm's records hold it: JSON, compressed, in base64. A compressed text may be of several parts, one after another.
// The chart of an edition is the same for all its stores, and what was rendered for a store the same at both writes of an operation, so each of them is a
// part of its own that is made once.
type encoder struct {
	charts *chartParts

	chart   *chart.Chart // of the operation's plan, and its edition
	edition string

	last     *release.Release // that was encoded last, its manifest then, and what was made of it
	manifest string
	body     []byte
}

// use says which edition a chart is of that the operation installs.
func (e *encoder) use(loaded *chart.Chart, edition string) { e.chart, e.edition = loaded, edition }

func (e *encoder) encode(rls *release.Release) ([]byte, error) {
	head, err := part(&release.Release{Name: rls.Name, Info: rls.Info}, false)
	if err != nil {
		return nil, err
	}
	middle, err := e.chartOf(rls)
	if err != nil {
		return nil, err
	}
	body, err := e.bodyOf(rls)
	if err != nil {
		return nil, err
	}
	return inBase64(head, middle, body), nil
}

// bodyOf is what follows the chart. Helm changes nothing of it between two writes; dropUnknownKinds changes the manifest.
func (e *encoder) bodyOf(rls *release.Release) (text []byte, err error) {
	if e.last == rls && e.manifest == rls.Manifest {
		return e.body, nil
	}
	fields := *rls
	fields.Name, fields.Info, fields.Chart = "", nil, nil
	if e.body, err = part(&fields, true); err == nil {
		e.last, e.manifest = rls, rls.Manifest
	}
	return e.body, err
}

// chartOf is the compressed chart of a release, with a comma before it and one behind it.
func (e *encoder) chartOf(rls *release.Release) ([]byte, error) {
	if rls.Chart != e.chart {
		return compressedChart(rls.Chart)
	}
	return e.charts.of(e.edition, rls.Chart)
}

// part compresses the fields that a release has: those at the beginning of its JSON, or those at its end.
func part(fields *release.Release, last bool) ([]byte, error) {
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	if last {
		return compressed(gzip.DefaultCompression, text[1:])
	}
	return compressed(gzip.DefaultCompression, text[:len(text)-1])
}

func compressedChart(c *chart.Chart) ([]byte, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return compressed(gzip.BestCompression, []byte(`,"chart":`), text, []byte(`,`))
}

// writers are kept, since each has a megabyte of tables.
var writers = map[int]*sync.Pool{
	gzip.DefaultCompression: writersOf(gzip.DefaultCompression),
	gzip.BestCompression:    writersOf(gzip.BestCompression),
}

func writersOf(level int) *sync.Pool {
	return &sync.Pool{New: func() any {
		w, err := gzip.NewWriterLevel(nil, level)
		if err != nil {
			panic("helm: a level of gzip is not one: " + err.Error())
		}
		return w
	}}
}

func compressed(level int, texts ...[]byte) ([]byte, error) {
	var out bytes.Buffer
	w := writers[level].Get().(*gzip.Writer)
	defer writers[level].Put(w)
	w.Reset(&out)
	for _, text := range texts {
		if _, err := w.Write(text); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

func inBase64(parts ...[]byte) []byte {
	whole := bytes.Join(parts, nil)
	return base64.StdEncoding.AppendEncode(make([]byte, 0, base64.StdEncoding.EncodedLen(len(whole))), whole)
}

// maxChartParts bounds how many editions are kept compressed, 20 to 30 KB each.
const maxChartParts = 32

// chartParts are the compressed charts of the editions that were written lately.
type chartParts struct {
	mu    sync.Mutex
	parts map[string][]byte
}

// of is the chart of an edition. A caller with the same edition has the same chart.
func (c *chartParts) of(edition string, loaded *chart.Chart) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept, ok := c.parts[edition]; ok {
		return kept, nil
	}
	made, err := compressedChart(loaded)
	if err != nil {
		return nil, err
	}
	if len(c.parts) >= maxChartParts || c.parts == nil {
		c.parts = map[string][]byte{}
	}
	c.parts[edition] = made
	return made, nil
}
