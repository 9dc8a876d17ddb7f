package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/bridgev2/matrix/mxmain"

	"matrix-messenger/bridge"
)

// variableError is a variable of the environment that does not fit the configuration.
type variableError struct {
	name    string
	problem string // the rest of a sentence that begins with the name
}

func (e *variableError) Error() string { return e.name + " in the environment " + e.problem }

// load reads the configuration as the bridge does: the file, and over it the environment. The framework ends the program over a
// variable that it cannot read, so it gets to see none of them until the file is read, and then one after the other.
func load(m *bridge.Main, doc *yaml.Node) error {
	var head struct {
		Prefix string `yaml:"env_config_prefix"`
	}
	if err := doc.Decode(&head); err != nil || head.Prefix == "" {
		m.LoadConfig() // of another kind of value it says so itself
		return nil
	}
	variables := withoutVariables(head.Prefix)
	m.LoadConfig()
	var problem error
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		if problem == nil {
			problem = apply(m, head.Prefix, name, value)
		}
	}
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return problem
}

// withoutVariables takes those of a prefix out of the environment.
func withoutVariables(prefix string) (variables []string) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, prefix) && os.Unsetenv(name) == nil {
			variables = append(variables, variable)
		}
	}
	return variables
}

// apply lets one variable take effect. Its value is in no error: it may be a secret.
func apply(m *bridge.Main, prefix, name, value string) error {
	if err := os.Setenv(name, value); err != nil {
		return err
	}
	defer func() { _ = os.Unsetenv(name) }()
	err := mxmain.UpdateConfigFromEnv(m.Config, &m.Connector.Config, prefix)
	if err == nil {
		return nil
	}
	var number *strconv.NumError
	var file *fs.PathError
	problem := "cannot be set there. Write it into the configuration file instead."
	switch {
	case errors.As(err, &number) && number.Func == "ParseBool":
		problem = "must be true or false."
	case errors.As(err, &number) && number.Func == "ParseFloat":
		problem = "must be a number."
	case errors.As(err, &number):
		problem = "must be a whole number."
	case errors.As(err, &file):
		problem = fmt.Sprintf("must name a file that the bridge can read: %v.", file)
	case strings.HasSuffix(err.Error(), " not found"):
		problem = "names no key of the configuration. Sections and keys are put together with two underscores."
	}
	return &variableError{name, problem}
}
