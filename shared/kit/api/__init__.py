"""What a function behind a REST API is built with: requests, arguments, routes; and the API's description."""
