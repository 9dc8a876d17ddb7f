package bridge

import (
	"fmt"
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

// EditYAML sets values in a YAML file, by path ("network.tls.ca_file"). Missing mappings are made; what
// stood at the path before is replaced.
func EditYAML(file string, values map[string]any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return fmt.Errorf("%s: not a YAML mapping", file)
	}
	for path, value := range values {
		if err := set(document.Content[0], strings.Split(path, "."), value); err != nil {
			return fmt.Errorf("%s: %s: %w", file, path, err)
		}
	}
	data, err = yaml.Marshal(&document)
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

func set(mapping *yaml.Node, path []string, value any) error {
	var child *yaml.Node
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == path[0] {
			child = mapping.Content[i+1]
		}
	}
	if child == nil {
		child = &yaml.Node{Kind: yaml.MappingNode}
		mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: path[0]}, child)
	}
	if len(path) > 1 {
		if child.Kind != yaml.MappingNode {
			*child = yaml.Node{Kind: yaml.MappingNode}
		}
		return set(child, path[1:], value)
	}
	var made yaml.Node
	if err := made.Encode(value); err != nil {
		return err
	}
	*child = made
	return nil
}
