//go:build ignore

// layout-rules checks what no linter does: how many files a folder holds, how long they are, how many methods an exported
// type has. Run it at the root: go run .ci/layout-rules.go.
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	maxLines   = 400 // of a file
	maxFiles   = 20  // of a folder below worker and provision, besides tests
	maxMethods = 12  // exported ones of an exported type
)

// roots are the folders with Go code. deploy/devcluster is a module of its own and keeps the same rules.
var roots = []string{"charts", "cmd", "deploy", "ingest", "provision", "worker"}

type layout struct {
	files    map[string]int // by folder, tests left out
	methods  map[string]int // by folder and type
	findings []string
}

func main() {
	l := layout{files: map[string]int{}, methods: map[string]int{}}
	for _, root := range roots {
		if err := filepath.WalkDir(root, l.visit); err != nil {
			fmt.Fprintln(os.Stderr, "layout-rules:", err)
			os.Exit(2)
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(l.files)) {
		root, _, _ := strings.Cut(folder, "/")
		if n := l.files[folder]; n > maxFiles && (root == "worker" || root == "provision") {
			l.report("%s has %d Go files besides tests, more than %d", folder, n, maxFiles)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.methods)) {
		if n := l.methods[name]; n > maxMethods {
			l.report("%s has %d exported methods, more than %d", name, n, maxMethods)
		}
	}
	for _, finding := range l.findings {
		fmt.Println(finding)
	}
	if len(l.findings) > 0 {
		os.Exit(1)
	}
}

func (l *layout) report(format string, args ...any) {
	l.findings = append(l.findings, fmt.Sprintf(format, args...))
}

func (l *layout) visit(path string, entry fs.DirEntry, err error) error {
	if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if lines := bytes.Count(text, []byte("\n")); lines >= maxLines {
		l.report("%s has %d lines, and has to stay below %d", path, lines, maxLines)
	}
	if strings.HasSuffix(path, "_test.go") {
		return nil
	}
	l.files[filepath.Dir(path)]++
	file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.IsExported() {
			if name := receiver(f.Recv.List[0].Type); ast.IsExported(name) {
				l.methods[filepath.Dir(path)+"."+name]++
			}
		}
	}
	return nil
}

// receiver returns the name of a receiver's type.
func receiver(expr ast.Expr) string {
	switch t := expr.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}
