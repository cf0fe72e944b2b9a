package charts

import (
	"io/fs"
	"os/exec"
	"path"
	"testing"
)

// TestScriptsParse leaves it to each language whether a script is one; where the language is not installed, nothing is said.
func TestScriptsParse(t *testing.T) {
	checks := map[string][]string{".sh": {"sh", "-n"}, ".php": {"php", "-l"}, ".js": {"node", "--check"}}
	err := fs.WalkDir(FS, "store", func(name string, _ fs.DirEntry, err error) error {
		check := checks[path.Ext(name)]
		if err != nil || check == nil {
			return err
		}
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(check[0]); err != nil {
				t.Skip(err)
			}
			if out, err := exec.CommandContext(t.Context(), check[0], append(check[1:], name)...).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
