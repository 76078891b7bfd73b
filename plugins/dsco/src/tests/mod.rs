//! Tests of the connector against fixtures and scripted answers. No network.
