"""What several targets are made of: templates, serializers, the image, rules, dashboards and secrets."""
