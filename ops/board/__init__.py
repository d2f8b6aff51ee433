"""The dashboards of the templates as live charts in the browser: `snaprace dashboards`.

widgets   a dashboard's body, as CloudWatch keeps it, read into widgets
asked     which metrics a widget asks for, over which time
shown     what each widget shows now
markdown  texts of dashboards, and the runbooks, as HTML
server    the pages and their data, for a browser on this machine
page/     the page; charts.js and app.css are those of the live page (services/insight/page)
"""
