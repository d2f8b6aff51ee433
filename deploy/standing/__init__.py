"""Compares what stands with what a template asked for, property by property, by asking the services themselves.

examination  every resource of a stack, each by its reader
references   Ref, Fn::GetAtt and the like in the template, by their values
differences  what was asked beside what was found
and the readers, by kind of resource: apis, functions, messaging, monitoring, permissions, storage.
"""
