"""Compares what stands with what a template asked for, property by property, by asking the services themselves.

examination  every resource of a stack, each by its reader
references   Ref, Fn::GetAtt and the like in the template, by their values
readers      what stands, by kind of resource
differences  what was asked beside what was found
"""
