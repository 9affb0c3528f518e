export const howToGetK6 =
  'No k6 found: install it (https://grafana.com/docs/k6/latest/set-up/install-k6/), or Go, or Docker, or set K6 to its path.'
