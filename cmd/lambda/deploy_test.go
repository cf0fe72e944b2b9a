package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// fakeAWS logs what it is called with. Functions exist once they are named in the file "functions".
const fakeAWS = `#!/bin/sh
echo "$*" >>"$AWS_LOG"
case "$1 $2" in
"lambda get-function-configuration") grep -qx "$4" "$AWS_FUNCTIONS" || { echo "ResourceNotFoundException: no function" >&2; exit 254; } ;;
"lambda create-function") echo "$4" >>"$AWS_FUNCTIONS"; cat "$(echo "$*" | sed 's/.*--environment file:\/\/\([^ ]*\).*/\1/')" >"$AWS_LOG.environment"; echo "arn:$4" ;;
"lambda invoke") for last in "$@"; do :; done; printf '%s' "${AWS_HEALTH:-{\"statusCode\":200\}}" >"$last"; echo None ;;
"events put-rule") echo "arn:rule" ;;
esac
`

// deployed runs deploy/lambda/deploy and returns what it prints and what it asked AWS.
func deployed(t *testing.T, existing []string, env ...string) (text string, calls []string, err error) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("aws", fakeAWS, 0o700)
	log := write("log", "", 0o600)
	functions := write("functions", strings.Join(existing, "\n")+"\n", 0o600)
	command := exec.CommandContext(t.Context(), "../../deploy/lambda/deploy", write("code.zip", "zip", 0o600))
	command.Env = append([]string{"PATH=" + dir + ":" + os.Getenv("PATH"), "AWS_LOG=" + log, "AWS_FUNCTIONS=" + functions}, env...)
	out, err := command.CombinedOutput()
	called, readErr := os.ReadFile(log)
	if readErr != nil {
		t.Fatal(readErr)
	}
	if environment, err := os.ReadFile(log + ".environment"); err == nil {
		out = append(out, environment...)
	}
	return string(out), strings.Split(strings.TrimSpace(string(called)), "\n"), err
}

func count(calls []string, part string) int {
	n := 0
	for _, call := range calls {
		if strings.Contains(call, part) {
			n++
		}
	}
	return n
}

func TestDeployUpdatesEveryFunction(t *testing.T) {
	text, calls, err := deployed(t, []string{"requests", "drain"}, "FUNCTION=requests, drain", "ARCH=amd64")
	if err != nil {
		t.Fatal(err, text)
	}
	for _, name := range []string{"requests", "drain"} {
		if count(calls, "lambda update-function-code --function-name "+name+" ") != 1 || count(calls, "lambda invoke --function-name "+name+" ") != 1 {
			t.Errorf("%s: asked AWS %q", name, calls)
		}
	}
	if count(calls, "--architectures x86_64") != 2 || count(calls, "create-") != 0 {
		t.Errorf("asked AWS %q", calls)
	}
}

func TestDeployCreatesAFunctionThatWorks(t *testing.T) {
	const environment = `{"REDIS_URL":"rediss://:hidden@redis","ORCHESTRATOR_TOKEN":"hidden"}`
	text, calls, err := deployed(t, nil, "FUNCTION=orchestrator", "EXECUTION_ROLE=arn:role", "ENVIRONMENT="+environment)
	if err != nil || !strings.Contains(text, `{"Variables":`+environment+`}`) {
		t.Fatal(err, text)
	}
	for _, part := range []string{"create-function --function-name orchestrator --role arn:role", "create-function-url-config --function-name orchestrator",
		"--action lambda:InvokeFunctionUrl", "--invoked-via-function-url", "events put-rule --name orchestrator-drain --schedule-expression rate(1 minute)",
		"--principal events.amazonaws.com --source-arn arn:rule", "events put-targets --rule orchestrator-drain --targets Id=drain,Arn=arn:orchestrator",
		"--maximum-retry-attempts 0", "lambda invoke --function-name orchestrator"} {
		if count(calls, part) != 1 {
			t.Errorf("%q is asked %d times of AWS: %q", part, count(calls, part), calls)
		}
	}
	if count(calls, "hidden") != 0 {
		t.Errorf("a secret is an argument: %q", calls)
	}
}

func TestDeployFailsWithTheReason(t *testing.T) {
	for want, c := range map[string]struct {
		existing []string
		env      []string
	}{
		"the names of the functions are not set":           {nil, nil},
		"ARCH is sparc":                                    {nil, []string{"FUNCTION=a", "ARCH=sparc"}},
		"a does not exist. Make it with deploy/lambda":     {nil, []string{"FUNCTION=a", "EXECUTION_ROLE=arn:role"}},
		`b does not answer /healthz: None {"statusCode":5`: {[]string{"a", "b"}, []string{"FUNCTION=b", `AWS_HEALTH={"statusCode":500}`}},
	} {
		if text, _, err := deployed(t, c.existing, c.env...); err == nil || !strings.Contains(text, want) {
			t.Errorf("%v, %q; want %q", err, text, want)
		}
	}
}

// Packaging takes no references for CodeUri, and each function needs the settings that it does not start without.
func TestTemplateCanBePackaged(t *testing.T) {
	text, err := os.ReadFile("../../deploy/lambda/template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Globals struct {
			Function struct {
				CodeUri       any
				Architectures []any
				Environment   struct{ Variables map[string]any }
			}
		}
		Resources map[string]struct {
			Type       string
			Properties struct {
				Environment struct{ Variables map[string]any }
				Events      map[string]any
			}
		}
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	code, isText := template.Globals.Function.CodeUri.(string)
	if !isText || !strings.HasPrefix(code, "../../bin/lambda-") || !strings.Contains(string(text), "CodeUri: "+code) {
		t.Errorf("CodeUri is %v, want the path of the package", template.Globals.Function.CodeUri)
	}
	for _, name := range []string{"REDIS_URL", "ORCHESTRATOR_TOKEN", "BACKEND_API_BASE"} {
		if template.Globals.Function.Environment.Variables[name] == nil {
			t.Errorf("no function has %s", name)
		}
	}
	drain := template.Resources["Drain"].Properties
	for _, name := range []string{"ORCH_INSTALLATION", "ORCH_EKS_CLUSTER", "ORCH_EKS_ENDPOINT", "ORCH_EKS_CA"} {
		if drain.Environment.Variables[name] == nil {
			t.Errorf("the drain has no %s", name)
		}
	}
	if len(drain.Events) == 0 {
		t.Error("nothing invokes the drain")
	}
}
