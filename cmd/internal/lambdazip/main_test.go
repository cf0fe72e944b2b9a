package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestPackIsReproducible(t *testing.T) {
	dir := t.TempDir()
	var packages [][]byte
	for i, name := range []string{"one", "two"} {
		binary := filepath.Join(dir, name)
		if err := os.WriteFile(binary, []byte("#!/bin/sh\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-time.Duration(i) * time.Hour)
		if err := os.Chtimes(binary, at, at); err != nil {
			t.Fatal(err)
		}
		if err := pack(binary, binary+".zip"); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(binary + ".zip")
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, text)
	}
	if !bytes.Equal(packages[0], packages[1]) {
		t.Error("name, mode or time of the binary change the package")
	}
	archive, err := zip.OpenReader(filepath.Join(dir, "one.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	if len(archive.File) != 1 || archive.File[0].Name != "bootstrap" || archive.File[0].Mode() != 0o755 {
		t.Fatalf("it holds %+v", archive.File)
	}
	entry, err := archive.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer entry.Close()
	if text, _ := io.ReadAll(entry); string(text) != "#!/bin/sh\n" {
		t.Errorf("bootstrap is %q", text)
	}
}
