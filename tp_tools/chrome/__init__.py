"""chrome"""
